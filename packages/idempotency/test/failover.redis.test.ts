import { connectRedis, whenReady } from '@safety/redis-core'
import { startSentinel } from '@safety/redis-core/testing'
import type { RedisGroup, RedisServer } from '@safety/redis-core/testing'
import type { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'

import { eventually, gate, instance, receiver } from './harness.ts'

/** From here on the replicas get nothing more: they stand still, and their connections to the master are gone. */
async function stopReplication(group: RedisGroup, master: RedisServer): Promise<void> {
  for (const replica of replicasOf(group, master)) replica.pause()
  const admin = master.client()
  await whenReady(admin)
  await admin.call('CLIENT', 'KILL', 'TYPE', 'replica')
}

/** Kills the master, wakes the replicas, and waits until one has taken over. */
async function failOver(group: RedisGroup, master: RedisServer): Promise<void> {
  await master.kill()
  for (const replica of replicasOf(group, master)) replica.resume()
  await eventually(async () => (await group.master()).port !== master.port)
}

function replicasOf(group: RedisGroup, master: RedisServer): RedisServer[] {
  return group.servers.filter(server => server.port !== master.port)
}

/** Until every replica has what the master acknowledged. */
async function replicated(master: RedisServer): Promise<void> {
  const admin = master.client()
  await whenReady(admin)
  await admin.set('marker', '1')
  expect(await admin.wait(1, 10_000)).toBeGreaterThanOrEqual(1)
}

const KEYED = { name: 'pay', key: (input: string) => input } as const

describe.concurrent('failover behind sentinels [claim 21]', () => {
  test('that loses the claim of a running effect: claim-lost, the record is put back, one effect', async () => {
    await using group = await startSentinel({ replicas: 1, downAfterMs: 500 })
    const master = await group.master()
    const redis = connectRedis(group.url) as Redis
    await whenReady(redis)
    await using here = instance(redis)
    const at = receiver()
    const running = gate()
    const effect = here.idem.define({
      ...KEYED,
      recovery: { mode: 'reconcile', settleMs: 0, lookup: ctx => at.lookup(ctx) },
      leaseMs: 3000,
      effectTimeoutMs: 60_000,
      run: async (_input, ctx) => {
        await running.promise
        return at.take(ctx, 'bought')
      },
    })
    await stopReplication(group, master)
    const call = effect('a')
    await eventually(() => here.of('started').length === 1)
    await failOver(group, master)
    await eventually(() => here.of('claim-lost').length >= 1)
    expect(await here.idem.inspect('pay', 'a')).toMatchObject({ state: 'running', attempt: 1 })
    running.open()
    expect(await call).toMatchObject({ status: 'executed', value: 'bought', recorded: true, attempt: 1 })
    expect(await effect('a')).toMatchObject({ status: 'replayed', value: 'bought' })
    expect(at.count()).toBe(1)
    redis.disconnect()
  })

  test('that loses the finish: the claim lapses, the lookup finds the effect, one effect', async () => {
    await using group = await startSentinel({ replicas: 1, downAfterMs: 500 })
    const master = await group.master()
    const redis = connectRedis(group.url) as Redis
    await whenReady(redis)
    await using here = instance(redis)
    const at = receiver()
    const running = gate()
    const effect = here.idem.define({
      ...KEYED,
      recovery: { mode: 'reconcile', settleMs: 0, lookup: ctx => at.lookup(ctx) },
      leaseMs: 2000,
      waitMs: 60_000,
      run: async (_input, ctx) => {
        await running.promise
        return at.take(ctx, 'bought')
      },
    })
    const call = effect('a')
    await eventually(() => here.of('started').length === 1)
    await replicated(master)
    await stopReplication(group, master)
    running.open()
    expect(await call).toMatchObject({ status: 'executed', recorded: true })
    await failOver(group, master)
    await eventually(() =>
      here.idem.inspect('pay', 'a').then(
        view => view?.state === 'running',
        () => false,
      ),
    )
    expect(await effect('a')).toMatchObject({ status: 'replayed', source: 'lookup', value: 'bought' })
    expect(at.count()).toBe(1)
    redis.disconnect()
  })
})
