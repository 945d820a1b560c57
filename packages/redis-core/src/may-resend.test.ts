import { Cluster, Redis } from 'ioredis'
import { afterEach, describe, expect, test } from 'vitest'

import type { RedisClient } from './client.ts'
import { connectRedis } from './connect.ts'
import { mayResend } from './may-resend.ts'

const made: RedisClient[] = []
afterEach(() => {
  for (const client of made.splice(0)) client.disconnect()
})

function keep<T extends RedisClient>(client: T): T {
  client.on('error', () => {})
  made.push(client)
  return client
}

const NODE = [{ host: '127.0.0.1', port: 1 }]

describe('mayResend', () => {
  test.each(['effect', 'worker', 'checks'] as const)('is false for a %s client of connectRedis', profile => {
    expect(mayResend(keep(connectRedis('redis://127.0.0.1:1', { profile })))).toBe(false)
    expect(mayResend(keep(connectRedis('redis+cluster://127.0.0.1:1', { profile })))).toBe(false)
  })

  test('is true for ioredis as it comes, standalone and Cluster', () => {
    expect(mayResend(keep(new Redis({ lazyConnect: true })))).toBe(true)
    expect(mayResend(keep(new Cluster(NODE, { lazyConnect: true })))).toBe(true)
  })

  test('is true only when reconnectOnError answers 2', () => {
    const withAnswer = (reconnectOnError: (error: Error) => boolean | 1 | 2): RedisClient =>
      keep(new Redis({ lazyConnect: true, autoResendUnfulfilledCommands: false, reconnectOnError }))
    expect(mayResend(withAnswer(() => 1))).toBe(false)
    expect(mayResend(withAnswer(() => true))).toBe(false)
    expect(mayResend(withAnswer(error => (error.message.startsWith('READONLY') ? 2 : false)))).toBe(true)
    expect(
      mayResend(
        withAnswer(() => {
          throw new Error('cannot be asked')
        }),
      ),
    ).toBe(true)
  })

  test('is true for a Cluster that repeats after a closed connection or reconnects nodes that re-send', () => {
    const quiet = { lazyConnect: true, retryDelayOnFailover: 0 }
    expect(mayResend(keep(new Cluster(NODE, quiet)))).toBe(false)
    expect(mayResend(keep(new Cluster(NODE, { ...quiet, retryDelayOnFailover: 1 })))).toBe(true)
    expect(mayResend(keep(new Cluster(NODE, { ...quiet, clusterNodeRetryStrategy: () => 1 })))).toBe(true)
    expect(mayResend(keep(new Cluster(NODE, { ...quiet, redisOptions: { reconnectOnError: () => 2 } })))).toBe(true)
    const noResend = {
      ...quiet,
      clusterNodeRetryStrategy: () => 1,
      redisOptions: { autoResendUnfulfilledCommands: false },
    }
    expect(mayResend(keep(new Cluster(NODE, noResend)))).toBe(false)
  })
})
