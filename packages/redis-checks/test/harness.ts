import { connectRedis } from '@safety/redis-core'
import type { RedisClient } from '@safety/redis-core'
import type { RedisServer } from '@safety/redis-core/testing'

import { checkRedis } from '../src/index.ts'
import type { CheckOptions, CheckResult, Level, Profile, Report } from '../src/index.ts'

export type Options = Partial<CheckOptions>

/** A report about a server, by a client of connectRedis. */
export async function examine(target: string | RedisServer, options: Options = {}): Promise<Report> {
  const redis = connectRedis(typeof target === 'string' ? target : target.url, { profile: 'checks' })
  try {
    return await examineClient(redis, options)
  } finally {
    redis.disconnect()
  }
}

export function examineClient(redis: RedisClient, options: Options = {}): Promise<Report> {
  return checkRedis(redis, { profile: 'idempotency.standard', clientRole: 'none', timeoutMs: 20_000, ...options })
}

/** The one result of a check, or of a check on a node. */
export function resultOf(report: Report, id: string, node?: string): CheckResult {
  const found = report.results.filter(result => result.id === id && (node === undefined || result.node === node))
  if (found.length !== 1 || found[0] === undefined) {
    const skipped = report.skipped.filter(skip => skip.id === id).map(({ reason, detail }) => `${reason}: ${detail}`)
    throw new Error(`${found.length} results of ${id}; skipped: ${skipped.join(', ')}`)
  }
  return found[0]
}

export function levelOf(report: Report, id: string, node?: string): Level {
  return resultOf(report, id, node).level
}

export function skipOf(report: Report, id: string): string | undefined {
  return report.skipped.find(skip => skip.id === id)?.reason
}

export const PROFILES: readonly Profile[] = ['idempotency.strict', 'idempotency.standard', 'breaker', 'cache']

/** The level of one check in strict, standard, breaker and cache; `-` where it is skipped. */
export async function levelsByProfile(
  server: string | RedisServer,
  id: string,
  options: Options = {},
): Promise<string> {
  const levels: string[] = []
  for (const profile of PROFILES) {
    const report = await examine(server, { ...options, profile, only: [id] })
    levels.push(report.results.find(result => result.id === id)?.level ?? '-')
  }
  return levels.join(' ')
}

export function nodeId(server: RedisServer): string {
  return `127.0.0.1:${server.port}`
}

/** Changes settings of a running server. */
export async function configure(server: RedisServer, settings: Record<string, string>): Promise<void> {
  const redis = server.client()
  await ready(redis)
  for (const [name, value] of Object.entries(settings)) await redis.config('SET', name, value)
  redis.disconnect()
}

export async function ready(redis: RedisClient): Promise<void> {
  if (redis.status === 'ready') return
  await new Promise<void>(resolve => redis.once('ready', () => resolve()))
}

export async function until(holds: () => boolean | Promise<boolean>, timeoutMs = 20_000): Promise<void> {
  const endMs = Date.now() + timeoutMs
  while (!(await holds())) {
    if (Date.now() > endMs) throw new Error('it did not come true in time')
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

/** Writes records, with a TTL or without; what Redis refuses is left out. */
export async function fill(
  server: RedisServer,
  prefix: string,
  records: number,
  bytes: number,
  ttl = true,
): Promise<void> {
  const redis = server.client()
  await ready(redis)
  const pipeline = redis.pipeline()
  for (let index = 0; index < records; index++) {
    if (ttl) pipeline.set(`${prefix}:${index}`, 'x'.repeat(bytes), 'EX', 1000)
    else pipeline.set(`${prefix}:${index}`, 'x'.repeat(bytes))
  }
  await pipeline.exec()
  redis.disconnect()
}

/** A section of INFO, asked by a connection of its own: a server that changes its role closes the ones it has. */
export async function infoOf(server: RedisServer, section: string): Promise<string> {
  const redis = server.client({ profile: 'checks' })
  const text = await redis.connect().then(
    () => redis.info(section).catch(() => ''),
    () => '',
  )
  redis.disconnect()
  return text
}

/** `master` or `slave`; empty while the server does not answer. */
export async function roleOf(server: RedisServer): Promise<string> {
  return /^role:(\w+)/m.exec(await infoOf(server, 'replication'))?.[1] ?? ''
}

/** Waits until the master itself counts its replicas as online; their own side of the link is up a moment before. */
export async function awaitOnline(master: RedisServer, count = 1): Promise<void> {
  const redis = master.client()
  await ready(redis)
  await until(async () => ((await redis.info('replication')).match(/state=online/g) ?? []).length >= count)
  redis.disconnect()
}
