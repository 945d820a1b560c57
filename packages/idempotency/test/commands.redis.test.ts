import { connectRedis, whenReady } from '@safety/redis-core'
import type { RedisClient } from '@safety/redis-core'
import { startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import type { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { instance, recordKeys } from './harness.ts'
import { speaksResp3 } from './resp3.ts'

let server: RedisServer
let admin: Redis

beforeAll(async () => {
  server = await startRedis()
  admin = server.client()
  await whenReady(admin)
})
afterAll(() => server[Symbol.asyncDispose]())

/** What the server received from clients meanwhile: MONITOR marks what scripts do with `lua`. */
async function received(work: () => Promise<unknown>): Promise<string[]> {
  const monitor = await admin.monitor()
  const commands: string[] = []
  const end = Promise.withResolvers<void>()
  monitor.on('monitor', (_time: string, args: string[], source: string) => {
    const name = args[0]?.toLowerCase() ?? ''
    if (source === 'lua') return
    if (name === 'ping' && args[1] === 'the-end') end.resolve()
    else commands.push(name)
  })
  await work()
  await admin.call('PING', 'the-end')
  await end.promise
  monitor.disconnect()
  return commands
}

const CLIENTS: readonly { readonly name: string; readonly connect: () => RedisClient }[] = [
  { name: 'connectRedis, RESP2', connect: () => connectRedis(server.url, { protocol: 2 }) },
  ...(speaksResp3 ? [{ name: 'connectRedis, RESP3', connect: () => connectRedis(server.url, { protocol: 3 }) }] : []),
  { name: 'ioredis 5', connect: () => new Redis5(server.port, server.host) as unknown as RedisClient },
]

describe.for(CLIENTS)('commands on the server, $name', ({ connect }) => {
  test('a first run is one claim and one finish, a replay is one claim', async () => {
    const redis = connect()
    await whenReady(redis)
    await using here = instance(redis)
    const effect = here.idem.define({
      name: 'pay',
      key: (input: string) => input,
      recovery: { mode: 'manual' },
      run: input => ({ input, receipt: 'x'.repeat(120) }),
    })
    // Loads the scripts.
    await effect('warm')
    await here.idem.inspect('pay', 'warm')
    expect(await received(() => effect('a'))).toEqual(['evalsha', 'evalsha'])
    expect(await received(() => effect('a'))).toEqual(['evalsha'])
    expect(await received(() => Promise.all([effect('b'), effect('b'), effect('b')]))).toEqual(['evalsha', 'evalsha'])
    expect(await received(() => here.idem.inspect('pay', 'a'))).toEqual(['evalsha'])
    redis.disconnect()
  })
})

test('a record of a 170 byte result takes at most 450 bytes of memory', async () => {
  await using here = instance(admin)
  const effect = here.idem.define({
    name: 'pay',
    key: (input: string) => input,
    recovery: { mode: 'manual' },
    run: () => 'x'.repeat(168),
  })
  await effect('order-2026-01-02-000001')
  const [key] = await recordKeys(admin, here.namespace)
  expect(await admin.memory('USAGE', key as string)).toBeLessThanOrEqual(450)
})
