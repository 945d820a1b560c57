import { startFaultProxy, startRedis } from '@safety/redis-core/testing'
import { describe, expect, test } from 'vitest'

import { ready } from '../harness.ts'
import { lintLevel, versions } from './pitfall.ts'

describe.each(versions)('a batch that is cut after its first reply on $name', ({ redis: make }) => {
  const cut = async (enableAutoPipelining: boolean): Promise<{ aborted: number; ran: number; level: string }> => {
    await using server = await startRedis()
    await using proxy = await startFaultProxy(server)
    const redis = make({
      port: proxy.port,
      enableAutoPipelining,
      autoResendUnfulfilledCommands: false,
      commandTimeout: 500,
      maxRetriesPerRequest: 0,
    })
    await ready(redis)
    proxy.dropReply({ match: { command: 'incr', nth: 2 } })
    const endings = await Promise.allSettled([redis.incr('a'), redis.incr('b'), redis.incr('c')])
    const look = server.client()
    await ready(look)
    const ran = (await look.mget('a', 'b', 'c')).filter(value => value === '1').length
    const level = lintLevel(redis, 'auto-pipelining')
    redis.disconnect()
    const aborted = endings.filter(
      ending => ending.status === 'rejected' && /aborted/.test(String(ending.reason)),
    ).length
    return { aborted, ran, level }
  }

  test('calls commands aborted that ran; without it nobody is told so [auto-pipelining]', async () => {
    expect(await cut(true)).toEqual({ aborted: 2, ran: 3, level: 'warn' })
    expect(await cut(false)).toEqual({ aborted: 0, ran: 3, level: 'pass' })
  })
})
