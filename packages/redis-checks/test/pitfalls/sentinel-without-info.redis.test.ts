import { startSentinel } from '@safety/redis-core/testing'
import type { RedisGroup, RedisServer } from '@safety/redis-core/testing'
import type { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'

import { examineClient, nodeId, ready, resultOf, roleOf, until } from '../harness.ts'
import { endingOf, measured, safe, versions } from './pitfall.ts'

const MASTER = 'mymaster'

let group: RedisGroup
let stale: RedisServer
let demoted: RedisServer

/** The users of the application: one may read INFO, the other may not. */
async function addUsers(server: RedisServer): Promise<void> {
  const admin = server.client()
  await ready(admin)
  await admin.call('ACL', 'SETUSER', 'seeing', 'on', '>secret', '~*', '&*', '+@all')
  await admin.call('ACL', 'SETUSER', 'blind', 'on', '>secret', '~*', '&*', '+@all', '-info')
  admin.disconnect()
}

/**
 * One sentinel is down during a failover, and is then the only one that is left: it names the old master, which is a
 * replica by now, and nobody tells it better.
 */
beforeAll(async () => {
  group = await startSentinel({ replicas: 1, downAfterMs: 60_000 })
  await Promise.all(group.servers.map(addUsers))
  demoted = await group.master()
  const [first, second, third] = group.sentinels as [RedisServer, RedisServer, RedisServer]
  stale = third
  await stale.kill()
  const operator = first.client({ profile: 'worker' })
  await ready(operator)
  await operator.call('SENTINEL', 'FAILOVER', MASTER)
  await until(async () => (await roleOf(demoted)) === 'slave', 60_000)
  await Promise.all([first.kill(), second.kill()])
  await stale.restart()
}, 120_000)
afterAll(() => group[Symbol.asyncDispose]())

// ioredis says on the console that it skips its check.
beforeEach(() => void vi.spyOn(console, 'warn').mockImplementation(() => undefined))
afterEach(() => void vi.restoreAllMocks())

describe.each(versions)('a user without INFO behind Sentinel on $name', version => {
  const connect = (username: string): Redis =>
    version.redis({
      sentinels: [{ host: stale.host, port: stale.port }],
      name: MASTER,
      username,
      password: 'secret',
      retryStrategy: () => 20,
      sentinelRetryStrategy: () => 20,
    })

  test('takes a replica for the master, which one with INFO never does [role]', async ({ task }) => {
    const blind = connect('blind')
    await ready(blind)
    expect((await blind.role())[0]).toBe('slave')
    for (let call = 0; call < 5; call++) expect(await endingOf(blind.incr('counter'), 5000)).toBe('rejected')
    expect(blind.status).toBe('ready')
    const report = await examineClient(blind, { nodeTimeoutMs: 2000 })
    expect(resultOf(report, 'role')).toMatchObject({
      level: 'fail',
      blocking: true,
      observed: `replica at ${nodeId(demoted)}`,
      source: 'HELLO',
    })
    blind.disconnect()

    const seeing = connect('seeing')
    let closed = 0
    let readyTimes = 0
    seeing.on('close', () => (closed += 1))
    seeing.on('ready', () => (readyTimes += 1))
    await until(() => closed >= 5)
    expect(readyTimes).toBe(0)
    seeing.disconnect()
    measured(task, version, 'sentinel-without-info', 'ready on a replica, 5 of 5 writes refused; with INFO never ready')
  })
})

test('connectRedis with INFO never takes it, and without leaves it at the first READONLY', async () => {
  const target = {
    kind: 'sentinel' as const,
    sentinels: [{ host: stale.host, port: stale.port }],
    master: MASTER,
    password: 'secret',
  }
  const seeing = safe({ ...target, username: 'seeing' })
  let closed = 0
  let readyTimes = 0
  seeing.on('close', () => (closed += 1))
  seeing.on('ready', () => (readyTimes += 1))
  await until(() => closed >= 3)
  expect(readyTimes).toBe(0)
  seeing.disconnect()

  const blind = safe({ ...target, username: 'blind' })
  await ready(blind)
  const left = new Promise<void>(resolve => blind.once('close', () => resolve()))
  expect(await endingOf(blind.incr('counter'), 5000)).toBe('rejected')
  await left
  expect(resultOf(await examineClient(blind, { nodeTimeoutMs: 2000 }), 'role').level).toBe('fail')
  blind.disconnect()
})
