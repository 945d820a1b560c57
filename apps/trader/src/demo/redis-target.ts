import { connectRedis, whenReady, type Clock, type RedisClient } from '@safety/redis-core'
import { startRedis } from '@safety/redis-core/testing'
import { bookKeys } from '../redis/keys.ts'
import { DemoError, firstLine } from './demo-error.ts'

/** The Redis of a run. */
export interface RedisTarget extends AsyncDisposable {
  readonly kind: 'started' | 'found'
  readonly url: string
  /** Opens a connection of the demo itself; the caller closes it. */
  connect(): RedisClient
  /**
   * SIGKILLs the server and brings it back with its data after `awayMs`; undefined for a server we did not start.
   * Aborted in between it stays away.
   */
  readonly outage: ((awayMs: number, signal: AbortSignal) => Promise<void>) | undefined
  /** Calls back once when a server we did not start has been away for 5 seconds. @returns ends the watch */
  watch(onGone: (error: DemoError) => void): () => void
  /** Removes every key of a book and says how many there were. */
  deleteBook(book: string): Promise<number>
}

const GONE_AFTER_MS = 5000

function hostOf(url: string): string {
  try {
    return new URL(url).host
  } catch {
    return 'the given address'
  }
}

async function scanDelete(redis: RedisClient, pattern: string): Promise<number> {
  const nodes = 'nodes' in redis ? redis.nodes('master') : [redis]
  let deleted = 0
  for (const node of nodes) {
    let cursor = '0'
    do {
      const [next, keys] = await node.scan(cursor, 'MATCH', pattern, 'COUNT', 500)
      cursor = next
      for (const key of keys) deleted += await node.unlink(key)
    } while (cursor !== '0')
  }
  return deleted
}

async function deleteBookKeys(url: string, book: string): Promise<number> {
  const redis = connectRedis(url, { connectionName: 'demo', profile: 'effect' })
  redis.on('error', () => {})
  try {
    await whenReady(redis, { timeoutMs: 5000 })
    return await scanDelete(redis, `${bookKeys(book).namespace}:*`)
  } finally {
    redis.disconnect()
  }
}

function watchServer(url: string, clock: Clock, onGone: (error: DemoError) => void): () => void {
  const redis = connectRedis(url, { connectionName: 'demo', profile: 'effect' })
  let timer: { cancel(): void } | undefined
  redis.on('error', () => {})
  redis.on('ready', () => {
    timer?.cancel()
    timer = undefined
  })
  redis.on('close', () => {
    timer ??= clock.setTimeout(() => {
      onGone(new DemoError(`Redis at ${hostOf(url)} went away in the middle of the run`, 3))
    }, GONE_AFTER_MS)
  })
  return () => {
    timer?.cancel()
    redis.removeAllListeners('close')
    redis.disconnect()
  }
}

async function findRedis(url: string, clock: Clock): Promise<RedisTarget> {
  let redis: RedisClient | undefined
  let reason: unknown
  try {
    redis = connectRedis(url, { connectionName: 'demo', profile: 'checks' })
    redis.on('error', (error: unknown) => {
      reason = error
    })
    await whenReady(redis, { timeoutMs: 5000 })
    await redis.ping()
  } catch (error) {
    throw new DemoError(`Redis at ${hostOf(url)} cannot be used: ${firstLine(reason ?? error)}`, 3, { cause: error })
  } finally {
    redis?.disconnect()
  }
  return {
    kind: 'found',
    url,
    connect: () => connectRedis(url, { connectionName: 'demo', profile: 'effect' }),
    outage: undefined,
    watch: onGone => watchServer(url, clock, onGone),
    deleteBook: book => deleteBookKeys(url, book),
    async [Symbol.asyncDispose]() {},
  }
}

async function startOwnRedis(clock: Clock): Promise<RedisTarget> {
  const server = await startRedis({ aof: 'everysec' }).catch((error: unknown) => {
    throw new DemoError(`Redis cannot be started: ${firstLine(error)}`, 3, { cause: error })
  })
  let running: Promise<void> = Promise.resolve()
  async function outage(awayMs: number, signal: AbortSignal): Promise<void> {
    await server.kill()
    await clock.sleep(awayMs, { signal })
    await server.restart({ data: 'keep' })
  }
  return {
    kind: 'started',
    url: server.url,
    connect: () => connectRedis(server.url, { connectionName: 'demo', profile: 'effect' }),
    watch: () => () => {},
    outage(awayMs, signal) {
      running = outage(awayMs, signal)
      return running
    },
    deleteBook: book => deleteBookKeys(server.url, book),
    async [Symbol.asyncDispose]() {
      // A server that is just coming back is ended, not raced.
      await running.catch(() => {})
      await server[Symbol.asyncDispose]()
    },
  }
}

/**
 * The Redis a run uses: the given one, or one of our own with an append-only file, which dies with the run.
 *
 * @throws DemoError with exit code 3 when there is none to use.
 */
export function openRedis(url: string | undefined, clock: Clock): Promise<RedisTarget> {
  return url === undefined ? startOwnRedis(clock) : findRedis(url, clock)
}
