import { startFaultProxy, startRedis } from '@safety/redis-core/testing'
import type { FaultProxy } from '@safety/redis-core/testing'
import type { RedisClient } from '@safety/redis-core'
import { describe, expect, test } from 'vitest'

import { ready } from '../harness.ts'
import { lintLevel, measured, safe, versions } from './pitfall.ts'

interface Outcome {
  /** Calls that were rejected as aborted, and ran. */
  readonly aborted: number
  readonly ran: number
  readonly level: string
}

/** Three commands in one turn; the connection breaks after the first reply. */
async function cut(make: (proxy: FaultProxy) => RedisClient): Promise<Outcome> {
  await using server = await startRedis()
  await using proxy = await startFaultProxy(server)
  const redis = make(proxy)
  await ready(redis)
  proxy.dropReply({ match: { command: 'incr', nth: 2 } })
  const endings = await Promise.allSettled([redis.incr('a'), redis.incr('b'), redis.incr('c')])
  const look = server.client()
  await ready(look)
  const ran = (await look.mget('a', 'b', 'c')).filter(value => value === '1').length
  const level = lintLevel(redis, 'auto-pipelining')
  redis.disconnect()
  const aborted = endings.filter(ending => ending.status === 'rejected' && /aborted/.test(String(ending.reason))).length
  return { aborted, ran, level }
}

describe.each(versions)('a batch that is cut after its first reply on $name', version => {
  const options = { autoResendUnfulfilledCommands: false, commandTimeout: 500, maxRetriesPerRequest: 0 }

  test('calls commands aborted that ran; without it nobody is told so [auto-pipelining]', async ({ task }) => {
    const batched = await cut(({ port }) => version.redis({ port, enableAutoPipelining: true, ...options }))
    expect(batched).toEqual({ aborted: 2, ran: 3, level: 'warn' })
    const single = await cut(({ port }) => version.redis({ port, enableAutoPipelining: false, ...options }))
    expect(single).toEqual({ aborted: 0, ran: 3, level: 'pass' })
    measured(task, version, 'cut-batch', '2 of 3 reported as aborted, 3 of 3 ran')
  })
})

test('with connectRedis no command that ran is called aborted', async () => {
  expect(await cut(({ url }) => safe(url))).toEqual({ aborted: 0, ran: 3, level: 'pass' })
})
