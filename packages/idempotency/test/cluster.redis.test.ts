import { connectRedis, whenReady } from '@safety/redis-core'
import { startCluster } from '@safety/redis-core/testing'
import type { RedisGroup, RedisServer } from '@safety/redis-core/testing'
import type { Cluster, Redis } from 'ioredis'
import { Cluster as Cluster5 } from 'ioredis5'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import type { LookupAnswer } from '../src/index.ts'
import { createKeyLayout } from '../src/redis/keys.ts'
import { collect, eventually, freshNamespace, gate, instance, receiver, rejection, sleep } from './harness.ts'

let group: RedisGroup
let redis: Cluster
const admins = new Map<number, Redis>()

beforeAll(async () => {
  group = await startCluster({ replicasPerMaster: 0 })
  redis = connectRedis(group.url) as Cluster
  await whenReady(redis, { timeoutMs: 20_000 })
  for (const server of group.servers) {
    const admin = server.client()
    await whenReady(admin)
    admins.set(server.port, admin)
  }
})
afterAll(async () => {
  redis.disconnect()
  await group[Symbol.asyncDispose]()
})

const adminOf = (server: RedisServer): Redis => admins.get(server.port) as Redis

/** Starts moving the slot of a key to another master: keys that are not there any more answer ASK or TRYAGAIN. */
async function startMove(key: string): Promise<{
  finish: (moveKeys?: readonly string[]) => Promise<void>
  from: Redis
  move: (key: string) => Promise<void>
}> {
  const source = await group.master(key)
  const target = group.servers.find(server => server.port !== source.port) as RedisServer
  const [from, to] = [adminOf(source), adminOf(target)]
  const slot = Number(await from.call('CLUSTER', 'KEYSLOT', key))
  const [fromId, toId] = [String(await from.call('CLUSTER', 'MYID')), String(await to.call('CLUSTER', 'MYID'))]
  await to.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId)
  await from.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId)
  const move = async (one: string): Promise<void> => {
    await from.call('MIGRATE', target.host, target.port, one, 0, 5000)
  }
  return {
    from,
    move,
    async finish() {
      const keys = (await from.call('CLUSTER', 'GETKEYSINSLOT', slot, 1000)) as string[]
      for (const one of keys) await move(one)
      for (const admin of [to, from, ...admins.values()]) await admin.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId)
    },
  }
}

const KEYED = { name: 'pay', key: (input: string) => input } as const

describe('cluster redirections inside each operation [claim 8]', () => {
  test('the slot moves before every operation (MOVED), and each gives what it would have given', async () => {
    const namespace = freshNamespace()
    await using here = instance(redis, { namespace })
    const layout = createKeyLayout(namespace)
    const { bucket } = layout.keysOf(layout.place('pay', 'a'))
    const moveAway = async (): Promise<void> => (await startMove(bucket)).finish()
    let answer: LookupAnswer<string> = { outcome: 'unknown' }
    const running = gate<string>()
    const effect = here.idem.define({
      ...KEYED,
      recovery: { mode: 'reconcile', settleMs: 0, lookup: async () => answer },
      leaseMs: 1500,
      run: () => running.promise,
    })
    await using sweeper = here.idem.startSweeper({ intervalMs: 3_600_000 })
    await moveAway()
    const call = effect('a') // claim
    await eventually(() => here.of('started').length === 1)
    await moveAway() // renew
    await eventually(() => here.of('renewed').length === 1)
    await moveAway() // finish, reconcile, resolve
    running.fail(new Error('unclear'))
    expect(await rejection(call)).toMatchObject({ code: 'ERR_IDEMPOTENCY_IN_DOUBT', attempt: 1 })
    await moveAway() // read, open
    expect(await here.idem.inspect('pay', 'a')).toMatchObject({ state: 'in-doubt' })
    expect(await collect(here.idem.list())).toHaveLength(1)
    await moveAway() // claim of a doubt
    expect(await rejection(effect('a'))).toMatchObject({ code: 'ERR_IDEMPOTENCY_IN_DOUBT' })
    await moveAway() // due, reconcile, resolve
    answer = { outcome: 'ran', value: 'found' }
    await eventually(async () => (await sweeper.sweepOnce()).resolved === 1)
    await moveAway() // replay
    expect(await effect('a')).toMatchObject({ status: 'replayed', source: 'lookup', value: 'found' })
    await moveAway() // decide
    await here.idem.release('pay', 'a', { by: 'ann', why: 'test', force: true })
    expect(await collect(here.idem.list({ all: true }))).toMatchObject([{ state: 'not-run', key: 'a' }])
    expect(here.of('store-loss')).toEqual([])
  })

  test('while its slot is on the way (ASK, TRYAGAIN) a call gives the same result, once the keys are together', async () => {
    const namespace = freshNamespace()
    await using here = instance(redis, { namespace, storeBudgetMs: 20_000 })
    const layout = createKeyLayout(namespace)
    const at = receiver()
    const effect = here.idem.define({
      ...KEYED,
      recovery: { mode: 'manual' },
      run: (_input, ctx) => at.take(ctx, 'ok'),
    })
    const { bucket, record } = layout.keysOf(layout.place('pay', 'ask'))
    const asking = await startMove(bucket)
    // Neither key exists yet: the old owner says ASK, and the new one TRYAGAIN, as it has not both.
    const first = effect('ask')
    await sleep(100)
    await asking.finish()
    expect(await first).toMatchObject({ status: 'executed', value: 'ok' })
    expect(await effect('ask')).toMatchObject({ status: 'replayed', value: 'ok' })
    const trying = await startMove(bucket)
    await trying.move(record)
    // One key here, one there: TRYAGAIN until they are together.
    const call = effect('ask')
    await sleep(100)
    await trying.finish()
    expect(await call).toMatchObject({ status: 'replayed', value: 'ok' })
    expect(at.count()).toBe(1)
  })
})

describe('a cluster', () => {
  test('keeps record and bucket of every key in one slot, on both ioredis majors', async () => {
    const ports = group.servers.map(server => ({ host: server.host, port: server.port }))
    const old = new Cluster5(ports) as unknown as Cluster
    try {
      await whenReady(old, { timeoutMs: 20_000 })
      for (const client of [redis, old]) {
        await using here = instance(client)
        const effect = here.idem.define({
          ...KEYED,
          recovery: { mode: 'manual' },
          run: input => input.length,
        })
        const keys = [
          'plain',
          'with {braces} inside',
          '}{',
          'line\nbreak',
          '💰🚀',
          'x'.repeat(10_000),
          'a:b',
          '%41',
          '~x',
        ]
        for (const key of keys) expect(await effect(key)).toMatchObject({ status: 'executed' })
        for (const key of keys) expect(await effect(key)).toMatchObject({ status: 'replayed', value: key.length })
        expect(await collect(here.idem.list({ all: true }))).toHaveLength(keys.length)
      }
    } finally {
      old.disconnect()
    }
  })
})
