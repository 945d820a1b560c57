import { connectRedis, whenReady } from '@safety/redis-core'
import { startCluster, startRedis, startSentinel, testKeyspace } from '@safety/redis-core/testing'
import { describe, expect, test } from 'vitest'

import { breakerKeys } from '../src/redis/keys.ts'
import { pause, until } from './support/fleet.ts'
import { sharedBreaker } from './support/shared-breaker.ts'

const ada = { by: 'ada', reason: 'incident 7' }

describe('Sentinel [claim 37]', () => {
  test('a master lost with the last move: the higher epoch wins', { timeout: 180_000 }, async () => {
    await using group = await startSentinel({ replicas: 1, downAfterMs: 1_000 })
    const space = testKeyspace()
    await using knows = sharedBreaker(group.url, space, {
      instance: 'knows',
      expect: 2,
      coolOff: { baseMs: 120_000, maxMs: 240_000 },
    })
    await using helps = sharedBreaker(group.url, space, {
      instance: 'helps',
      expect: 2,
      coolOff: { baseMs: 120_000, maxMs: 240_000 },
    })
    await Promise.all([knows.join(), helps.join()])
    await knows.breaker.force('closed', { ...ada, reason: 'a move that is replicated' })
    await pause(300)
    const replicated = knows.breaker.snapshot().epoch
    const master = await group.master()
    const replicas = group.servers.filter(server => server !== master)
    // Cut off from its master, a replica misses the last move and is then made the master.
    for (const replica of replicas) await admin(replica.url, 'REPLICAOF', '127.0.0.1', '1')
    await knows.fail(6)
    await helps.fail(6)
    await until('both are open', () => knows.breaker.snapshot().scope === 'fleet' && helps.breaker.state === 'open')
    const { epoch } = knows.breaker.snapshot()
    expect(epoch).toBeGreaterThan(replicated)
    await master.kill()
    await until('another master was chosen', async () => (await group.master().catch(() => master)) !== master, 60_000)
    await using newcomer = sharedBreaker(group.url, space, { instance: 'newcomer', expect: 2 })
    await until('the newcomer has it from the new master', () => newcomer.breaker.state === 'open', 60_000)
    expect(newcomer.breaker.snapshot().epoch).toBe(epoch)
    for (const { breaker } of [knows, helps]) {
      await until('Redis is back', () => breaker.snapshot().scope === 'fleet', 60_000)
      expect(breaker.snapshot()).toMatchObject({ state: 'open', epoch })
    }
    expect(knows.count('reseeded') + helps.count('reseeded')).toBeGreaterThan(0)
    expect(await knows.call()).toBe('ERR_BREAKER_OPEN')
  })
})

describe('Cluster [claim 39]', () => {
  test('a fleet opens, probes and obeys in Cluster, before and after a failover', { timeout: 240_000 }, async () => {
    await using group = await startCluster({ replicasPerMaster: 1, nodeTimeoutMs: 1_000 })
    const space = testKeyspace()
    const options = { expect: 2, coolOff: { baseMs: 500 }, halfOpen: { successes: 1 }, ramp: false } as const
    await using first = sharedBreaker(group.url, space, { ...options, instance: 'first' })
    await using second = sharedBreaker(group.url, space, { ...options, instance: 'second' })
    await Promise.all([first.join(), second.join()])
    await pause(500)
    await first.fail(5)
    await second.fail(5)
    await until('both are open', () => first.breaker.state === 'open' && second.breaker.state === 'open')
    await until('both are closed', async () => {
      await first.call()
      return first.breaker.state === 'closed' && second.breaker.state === 'closed'
    })
    await first.breaker.force('open', { ...ada, forMs: 60_000 })
    await until('the other one obeys', () => second.breaker.state === 'forced-open')
    const master = await group.master(breakerKeys(space, 'orders', false).stateKey)
    await master.kill()
    expect(first.breaker.state).toBe('forced-open')
    await until(
      'the release is in Redis',
      async () => {
        const receipt = await first.breaker.release({ ...ada }).catch(() => null)
        return receipt !== null && receipt.reach === 'fleet'
      },
      60_000,
    )
    await until('both are closed', () => first.breaker.state === 'closed' && second.breaker.state === 'closed', 30_000)
  })
})

describe('permissions [claim 39]', () => {
  // As in the README, section "In Redis".
  const rules = [
    '~{prefix}:*',
    '&{prefix}:cb1:events',
    ...'+evalsha +eval +subscribe +publish +time +hget +hset +hmget +hdel +hgetall +hvals +hlen +hincrby'.split(' '),
    ...'+zadd +zcard +zcount +zrange +zrangebyscore +zrem +zremrangebyscore +zscore +del +pexpire'.split(' '),
    ...'+lpush +ltrim +llen +lrange +info +ping +hello +auth +client|setname +select'.split(' '),
  ]

  test('the permissions in the README suffice for everything', async () => {
    await using server = await startRedis()
    const space = testKeyspace()
    const acl = rules.map(rule => rule.replace('{prefix}', space.prefix))
    await admin(server.url, 'ACL', 'SETUSER', 'breaker', 'reset', 'on', '>secret', ...acl)
    const url = server.url.replace('redis://', 'redis://breaker:secret@')
    const options = { expect: 2, coolOff: { baseMs: 300 }, halfOpen: { successes: 2 }, ramp: false } as const
    await using first = sharedBreaker(url, space, { ...options, instance: 'first' })
    await using second = sharedBreaker(url, space, { ...options, instance: 'second' })
    await Promise.all([first.join(), second.join()])
    await first.fail(5)
    await second.fail(5)
    await until('both are open', () => first.breaker.state === 'open' && second.breaker.state === 'open')
    await until('both are closed', async () => {
      await first.call()
      return first.breaker.state === 'closed' && second.breaker.state === 'closed'
    })
    await first.breaker.force('open', { ...ada, forMs: 60_000 })
    await until('pushes arrive', () => second.breaker.state === 'forced-open')
    await second.breaker.release({ by: 'eve', reason: 'over', holder: '*' })
    await first.breaker.force('closed', ada)
    expect((await first.breaker.history()).length).toBeGreaterThan(4)
    expect(first.count('degraded') + second.count('degraded')).toBe(0)
  })

  test('and no other key or channel can be touched with them', async () => {
    await using server = await startRedis()
    const space = testKeyspace()
    await admin(
      server.url,
      'ACL',
      'SETUSER',
      'breaker',
      'reset',
      'on',
      '>secret',
      ...rules.map(rule => rule.replace('{prefix}', space.prefix)),
    )
    const redis = connectRedis(server.url.replace('redis://', 'redis://breaker:secret@'))
    await whenReady(redis, { timeoutMs: 10_000 })
    await expect(redis.hset('other', 'a', '1')).rejects.toThrow('NOPERM')
    await expect(redis.publish('other', 'x')).rejects.toThrow('NOPERM')
    await expect(redis.call('CONFIG', 'GET', '*')).rejects.toThrow('NOPERM')
    redis.disconnect()
  })
})

async function admin(url: string, command: string, ...args: string[]): Promise<void> {
  const redis = connectRedis(url)
  await whenReady(redis, { timeoutMs: 10_000 })
  await redis.call(command, ...args)
  redis.disconnect()
}
