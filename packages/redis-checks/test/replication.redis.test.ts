import { startRedis } from '@safety/redis-core/testing'
import { describe, expect, test } from 'vitest'

import {
  awaitOnline,
  configure,
  examine,
  levelOf,
  levelsByProfile,
  nodeId,
  ready,
  resultOf,
  skipOf,
} from './harness.ts'

describe('replication', () => {
  test('with a paused replica WAIT gives 0 while replica-count passes [claim 8]', async () => {
    await using master = await startRedis({ aof: 'everysec' })
    await using replica = await startRedis({ replicaOf: master })
    await awaitOnline(master)
    const options = { expect: { replicas: 1 }, nodeTimeoutMs: 1000 }
    // A replica that has just come online may still be loading when the first probe waits for it.
    await expect
      .poll(() => levelsByProfile(master, 'wait-probe', options), { timeout: 30_000, interval: 100 })
      .toBe('pass pass pass -')
    replica.pause()
    const report = await examine(master, options)
    replica.resume()
    expect(levelOf(report, 'replica-count')).toBe('pass')
    expect(resultOf(report, 'wait-probe')).toMatchObject({ level: 'warn', data: { acknowledged: 0, wanted: 1 } })
  })

  test('a replica endpoint fails role, also for a user without INFO, ROLE and CONFIG [claim 9]', async () => {
    await using master = await startRedis()
    await using replica = await startRedis({ replicaOf: master })
    await awaitOnline(master)
    const plain = await examine(replica)
    expect(resultOf(plain, 'role')).toMatchObject({ level: 'fail', blocking: true })
    const admin = replica.client()
    await ready(admin)
    await admin.call('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '+@all', '-info', '-role', '-config')
    const url = `redis://app:secret@${nodeId(replica)}`
    expect(resultOf(await examine(url), 'role')).toMatchObject({ level: 'fail', source: 'HELLO' })
    expect(levelOf(await examine(master), 'role')).toBe('pass')
  })

  test('replicas receive no write of the probe [claim 13]', async () => {
    await using master = await startRedis()
    await using replica = await startRedis({ replicaOf: master })
    await awaitOnline(master)
    const redis = replica.client()
    await ready(redis)
    const calls = async (): Promise<string> =>
      [...(await redis.info('commandstats')).matchAll(/^cmdstat_(\S+?):calls=\d+/gm)]
        .map(match => match[1] ?? '')
        .sort()
        .join(' ')
    await examine(replica, { expect: { keyPrefix: 'probe-test:' } })
    const stats = await calls()
    expect(stats).not.toMatch(/\b(?:set|del|hset|pexpire|eval|evalsha|wait)\b/)
    expect(await redis.keys('probe-test:*')).toEqual([])
  })

  test('NOREPLICAS is a verdict of min-replicas, and no missing permission', async () => {
    await using master = await startRedis()
    expect(skipOf(await examine(master), 'min-replicas')).toBe('not-applicable')
    expect(skipOf(await examine(master), 'node-parity')).toBe('not-applicable')
    await using _replica = await startRedis({ replicaOf: master })
    await awaitOnline(master)
    await configure(master, { 'min-replicas-to-write': '5' })
    const refused = await examine(master)
    expect(resultOf(refused, 'min-replicas')).toMatchObject({ level: 'fail', observed: 'NOREPLICAS' })
    expect(levelOf(refused, 'required-commands')).toBe('pass')
  })
})
