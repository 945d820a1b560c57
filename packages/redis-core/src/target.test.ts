import { describe, expect, test } from 'vitest'

import { parseRedisUrl, resolveTarget } from './target.ts'
import type { ConnectTarget } from './target.ts'

const INVALID = expect.objectContaining({ code: 'ERR_REDIS_TARGET', outcome: 'not-run', retryable: false })

describe('a Redis URL', () => {
  test.each<[string, ConnectTarget]>([
    ['redis://localhost', { kind: 'standalone', host: 'localhost', port: 6379 }],
    ['redis://localhost/', { kind: 'standalone', host: 'localhost', port: 6379 }],
    ['redis://10.0.0.1:7000/3', { kind: 'standalone', host: '10.0.0.1', port: 7000, db: 3 }],
    ['redis://[::1]:7000', { kind: 'standalone', host: '::1', port: 7000 }],
    ['rediss://r.example', { kind: 'standalone', host: 'r.example', port: 6379, tls: true }],
    [
      'redis://ann:p%40ss%3A%2Fw@h:1/0',
      { kind: 'standalone', host: 'h', port: 1, db: 0, username: 'ann', password: 'p@ss:/w' },
    ],
    ['redis://:pw@h', { kind: 'standalone', host: 'h', port: 6379, password: 'pw' }],
    ['redis://ann:a:b@h', { kind: 'standalone', host: 'h', port: 6379, username: 'ann', password: 'a:b' }],
    [
      'redis+sentinel://h1:26379,h2/main/2',
      {
        kind: 'sentinel',
        sentinels: [
          { host: 'h1', port: 26_379 },
          { host: 'h2', port: 26_379 },
        ],
        master: 'main',
        db: 2,
      },
    ],
    [
      'rediss+sentinel://:pw@h1:1/main',
      { kind: 'sentinel', sentinels: [{ host: 'h1', port: 1 }], master: 'main', password: 'pw', tls: true },
    ],
    [
      'redis+cluster://h1:7000,h2',
      {
        kind: 'cluster',
        nodes: [
          { host: 'h1', port: 7000 },
          { host: 'h2', port: 6379 },
        ],
      },
    ],
    ['rediss+cluster://h1:7000/', { kind: 'cluster', nodes: [{ host: 'h1', port: 7000 }], tls: true }],
  ])('%s names its target', (url, target) => {
    expect(parseRedisUrl(url)).toEqual(target)
    expect(resolveTarget(url)).toEqual(target)
  })

  test.each([
    '',
    'localhost:6379',
    'http://h',
    'redis://',
    'redis://h:0',
    'redis://h:65536',
    'redis://h:abc',
    'redis://h/x',
    'redis://h/-1',
    'redis://h/0/1',
    'redis://h1,h2',
    'redis://h?db=1',
    'redis://h#x',
    'redis://h h',
    'redis://ann@h',
    'redis://ann:@h',
    'redis://a%ZZ:pw@h',
    'redis+sentinel://h1',
    'redis+sentinel://h1/',
    'redis+sentinel://h1/main/x',
    'redis+sentinel://h1/main/0/1',
    'redis+cluster://h1/1',
    'redis+cluster://h1,,h2',
    'redis+pool://h',
    'REDIS://h',
  ])('%j is refused', url => {
    expect(() => resolveTarget(url)).toThrow(INVALID)
  })

  test('is never repeated in the error, since it may hold a password', () => {
    for (const url of ['redis://ann:hunter2@h:x', 'redis://hunter2@h', 'redis+cluster://:hunter2@h/1', 'hunter2']) {
      expect(() => resolveTarget(url)).toThrow(
        expect.not.objectContaining({ message: expect.stringContaining('hunter2') }),
      )
    }
  })
})

describe('a target object', () => {
  test('passes through with everything it may hold', () => {
    const target: ConnectTarget = {
      kind: 'sentinel',
      sentinels: [{ host: 's', port: 1 }],
      master: 'main',
      db: 1,
      username: 'u',
      password: 'p',
      sentinelUsername: 'su',
      sentinelPassword: 'sp',
      tls: { rejectUnauthorized: true },
      natMap: { '10.0.0.1:6379': { host: 'h', port: 2 } },
    }
    expect(resolveTarget(target)).toEqual(target)
  })

  test.each<[string, unknown, RegExp]>([
    ['an unknown kind', { kind: 'pool' }, /kind/],
    ['no host', { kind: 'standalone', port: 1 }, /host/],
    ['a port out of range', { kind: 'standalone', host: 'h', port: 70_000 }, /port/],
    ['a negative db', { kind: 'standalone', host: 'h', port: 1, db: -1 }, /db/],
    ['a db in Cluster', { kind: 'cluster', nodes: [{ host: 'h', port: 1 }], db: 1 }, /db/],
    ['no nodes', { kind: 'cluster', nodes: [] }, /nodes/],
    ['no master', { kind: 'sentinel', sentinels: [{ host: 'h', port: 1 }] }, /master/],
    ['a misspelt field', { kind: 'standalone', host: 'h', port: 1, pasword: 'x' }, /pasword/],
    ['a user without password', { kind: 'standalone', host: 'h', port: 1, username: 'u' }, /password/],
    [
      'a Sentinel user without password',
      { kind: 'sentinel', sentinels: [{ host: 'h', port: 1 }], master: 'm', sentinelUsername: 'u' },
      /sentinelPassword/,
    ],
    ['null', null, /target/],
  ])('with %s is refused, naming the field', (_what, target, field) => {
    expect(() => resolveTarget(target as ConnectTarget)).toThrow(INVALID)
    expect(() => resolveTarget(target as ConnectTarget)).toThrow(field)
  })
})
