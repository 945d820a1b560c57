import { readFile } from 'node:fs/promises'

import { connectRedis, whenReady } from '@safety/redis-core'
import { startRedis } from '@safety/redis-core/testing'
import type { Redis } from 'ioredis'
import { expect, test } from 'vitest'

import { collect, eventually, freshNamespace, instance, rejection } from './harness.ts'

const COMMANDS = 'eval evalsha get set time zadd zincrby zmscore zrange zrangebyscore zrem zscore'
const CONNECTING = ['info', 'cluster', 'hello', 'client', 'ping']

test('a user with the rights the README lists, on its own namespace alone, can do everything', async () => {
  expect((await readFile(new URL('../README.md', import.meta.url), 'utf8')).replaceAll(/\s+/g, ' ')).toContain(
    `\`${COMMANDS}\``,
  )
  await using server = await startRedis()
  const admin = server.client()
  await whenReady(admin)
  const namespace = freshNamespace()
  const rights = [...COMMANDS.split(' '), 'scan', 'wait', ...CONNECTING].map(command => `+${command}`)
  await admin.call('ACL', 'SETUSER', 'app', 'on', '>secret', '-@all', ...rights, 'resetkeys', `~${namespace}:*`)
  const redis = connectRedis(`redis://app:secret@${server.host}:${server.port}`) as Redis
  await whenReady(redis)
  await using here = instance(redis, { namespace })
  let fail = true
  const effect = here.idem.define({
    name: 'pay',
    key: (input: string) => input,
    recovery: { mode: 'reconcile', settleMs: 0, lookup: async () => ({ outcome: 'unknown' }) },
    leaseMs: 900,
    run: async () => {
      await new Promise(resolve => setTimeout(resolve, 600))
      if (fail) throw new Error('unclear')
      return 'ok'
    },
  })
  await using sweeper = here.idem.startSweeper({ intervalMs: 3_600_000 })
  expect(await rejection(effect('a'))).toMatchObject({ code: 'ERR_IDEMPOTENCY_IN_DOUBT' })
  await eventually(() => here.of('renewed').length > 0)
  await sweeper.sweepOnce()
  expect(await collect(here.idem.list())).toHaveLength(1)
  await here.idem.confirm('pay', 'a', { outcome: 'ran', value: 'seen', evidenceId: 'e' })
  await here.idem.release('pay', 'a', { by: 'ann', why: 'test', force: true })
  fail = false
  expect(await effect('a')).toMatchObject({ status: 'executed', value: 'ok' })
  const durable = here.idem.define({
    name: 'durable',
    key: (input: string) => input,
    recovery: { mode: 'manual' },
    durability: { replicas: 1, timeoutMs: 50 },
    run: () => 'never',
  })
  expect(await rejection(durable('a'))).toMatchObject({ code: 'ERR_IDEMPOTENCY_NOT_DURABLE' })
  expect(await collect(here.idem.list({ all: true }))).toHaveLength(2)
  expect(await admin.acl('LOG', 10)).toEqual([])
  redis.disconnect()
})
