import { connectRedis } from '@safety/redis-core'
import type { ConnectTarget } from '@safety/redis-core'
import { describe, expect, test } from 'vitest'

import { planDial } from './dial-plan.ts'

const HERE = { host: '127.0.0.1', port: 1 }

function flags(target: ConnectTarget, kind: 'data' | 'sentinel' = 'data'): readonly string[] {
  return planDial(connectRedis(target, { profile: 'checks' })).cliFlags(kind)
}

describe('how redis-cli logs in where the client does', () => {
  test('asks for a password, and never holds it', () => {
    const server = { kind: 'standalone', ...HERE } as const
    const password = 'hunter2'
    expect(flags(server)).toEqual([])
    expect(flags({ ...server, password })).toEqual(['--askpass'])
    expect(flags({ ...server, username: 'default', password })).toEqual(['--askpass'])
    expect(flags({ ...server, username: 'app', password, tls: true })).toEqual(['--tls', '--user', 'app', '--askpass'])
  })

  test('sentinels have their own user', () => {
    const group: ConnectTarget = {
      kind: 'sentinel',
      sentinels: [HERE],
      master: 'main',
      password: 'hunter2',
      sentinelUsername: 'watch',
      sentinelPassword: 'hunter3',
    }
    expect(flags(group)).toEqual(['--askpass'])
    expect(flags(group, 'sentinel')).toEqual(['--user', 'watch', '--askpass'])
  })

  test('nodes of a Cluster are reached as the client reaches them', () => {
    const access = { username: 'app', password: 'hunter2' }
    expect(flags({ kind: 'cluster', nodes: [HERE], ...access })).toEqual(['--user', 'app', '--askpass'])
  })
})
