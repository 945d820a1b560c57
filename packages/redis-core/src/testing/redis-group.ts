import type { RedisServer } from './redis-server.ts'
import type { Trust } from './tls.ts'

/** Several servers that form one Redis: a master with replicas under sentinels, or a cluster. */
export interface RedisGroup extends AsyncDisposable {
  /** For `connectRedis`: `redis+sentinel://...` or `redis+cluster://...`, naming every sentinel or node; `rediss` with TLS. */
  readonly url: string
  /** What a client must trust: `connectRedis({ ...parseRedisUrl(group.url), tls: group.tls })`; `false` without TLS. */
  readonly tls: Trust
  /** The servers with data; the ones that began as masters first. */
  readonly servers: RedisServer[]
  /** The sentinels; none in a cluster. */
  readonly sentinels: RedisServer[]
  /**
   * The server that the group holds for master now: in a cluster of the slot of `key` (without one, of slot 0). While a
   * failover is due this is still the dead master; ask again to see the new one.
   *
   * @throws `ERR_REDIS_SERVER` when nobody in the group answers
   */
  master(key?: string): Promise<RedisServer>
}

/** Starts all or, when one fails, none. */
export async function startAll(starts: readonly Promise<RedisServer>[]): Promise<RedisServer[]> {
  const results = await Promise.allSettled(starts)
  const started = results.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
  const failed = results.find(result => result.status === 'rejected')
  if (failed === undefined) return started
  await disposeAll(started)
  throw failed.reason
}

export async function disposeAll(servers: readonly RedisServer[]): Promise<void> {
  await Promise.all(servers.map(server => server[Symbol.asyncDispose]()))
}

/** What the latest configuration says, where members of a group differ: some have not heard of the last failover. */
export function newestOf<View extends { readonly epoch: number }>(views: readonly View[]): View | undefined {
  return views.reduce<View | undefined>(
    (best, view) => (best === undefined || view.epoch > best.epoch ? view : best),
    undefined,
  )
}
