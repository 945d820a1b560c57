import { whenReady } from '@safety/redis-core'
import type { Clock, RedisClient } from '@safety/redis-core'
import type { Redis } from 'ioredis'

import type { Place, SendOptions } from '../store.ts'
import { isCluster } from './cluster.ts'
import type { KeyLayout } from './keys.ts'

const COUNT = 1000

/** Every record under the namespace, by SCAN over all masters. May give one twice, as SCAN does. */
export async function* scanRecords(
  redis: RedisClient,
  layout: KeyLayout,
  effect: string | undefined,
  options: SendOptions & { readonly clock: Clock },
): AsyncGenerator<Place> {
  const { deadlineMs, signal } = options
  await whenReady(redis, { timeoutMs: deadlineMs, ...(signal ? { signal } : {}) })
  const nodes: readonly Redis[] = isCluster(redis) ? redis.nodes('master') : [redis]
  const glob = layout.recordGlob(effect)
  for (const node of nodes) {
    let cursor = '0'
    do {
      const [next, keys] = await within(options, node.scan(cursor, 'MATCH', glob, 'COUNT', COUNT))
      for (const key of keys) {
        const place = layout.recordPlace(key)
        if (place) yield place
      }
      cursor = next
    } while (cursor !== '0')
  }
}

/** SCAN is no script, so its deadline and its abort are kept here. */
function within<R>(
  { clock, deadlineMs, signal }: SendOptions & { readonly clock: Clock },
  command: Promise<R>,
): Promise<R> {
  return new Promise<R>((resolve, reject) => {
    const timer = clock.setTimeout(
      () => settle(() => reject(new Error(`no reply to SCAN within ${deadlineMs} ms`))),
      deadlineMs,
    )
    const onAbort = (): void => settle(() => reject(signal?.reason as Error))
    function settle(end: () => void): void {
      timer.cancel()
      signal?.removeEventListener('abort', onAbort)
      end()
    }
    if (signal?.aborted) return onAbort()
    signal?.addEventListener('abort', onAbort, { once: true })
    command.then(
      reply => settle(() => resolve(reply)),
      (error: unknown) => settle(() => reject(error)),
    )
  })
}
