import type { ConnectionOptions } from 'node:tls'

import type { NatMap } from 'ioredis'
import { z } from 'zod'

import { RedisCoreError } from './errors.ts'

/** Seed nodes of a Cluster, or Sentinels. At least one. */
export type Nodes = readonly { host: string; port: number }[]

/** Where Redis is. `tls: true` verifies the server against the system's certificates; it covers Sentinels too. */
export type ConnectTarget = {
  username?: string
  password?: string
  /** Credentials of the Sentinels themselves. */
  sentinelUsername?: string
  sentinelPassword?: string
  tls?: boolean | ConnectionOptions
  /** Addresses as Sentinel or Cluster tells them to addresses as they are reachable from here. */
  natMap?: NatMap
} & (
  | { kind: 'standalone'; host: string; port: number; db?: number }
  | { kind: 'cluster'; nodes: Nodes }
  | { kind: 'sentinel'; sentinels: Nodes; master: string; db?: number }
)

const port = z.int().min(1).max(65_535)
const node = z.strictObject({ host: z.string().min(1), port })
const db = z.int().min(0).optional()
const access = {
  username: z.string().min(1).optional(),
  password: z.string().min(1).optional(),
  tls: z.union([z.boolean(), z.looseObject({})]).optional(),
}
const discovered = {
  natMap: z
    .custom<NatMap>(value => typeof value === 'function' || (typeof value === 'object' && value !== null))
    .optional(),
}
const targetSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('standalone'), host: z.string().min(1), port, db, ...access }),
  z.strictObject({ kind: z.literal('cluster'), nodes: z.array(node).min(1), ...access, ...discovered }),
  z.strictObject({
    kind: z.literal('sentinel'),
    sentinels: z.array(node).min(1),
    master: z.string().min(1),
    db,
    sentinelUsername: z.string().min(1).optional(),
    sentinelPassword: z.string().min(1).optional(),
    ...access,
    ...discovered,
  }),
])

const REDIS_PORT = 6379
const SENTINEL_PORT = 26_379
const URL_FORM = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/]*)@)?([^/@]+)(\/.*)?$/
const HOST_PORT = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/
const FORMS =
  'redis://[user:pass@]host[:6379][/db], redis+sentinel://h1:26379,h2/master[/db], redis+cluster://h1:7000,h2, or rediss'

/**
 * The target a URL names: `redis://[user:pass@]host[:6379][/db]`, `redis+sentinel://h1:26379,h2/master[/db]`,
 * `redis+cluster://h1:7000,h2`, each also as `rediss` (TLS). User and password are percent-decoded and are those of the
 * data nodes.
 *
 * @throws `ERR_REDIS_TARGET` (not retryable); its message never repeats the URL.
 */
export function parseRedisUrl(url: string): ConnectTarget {
  const match = URL_FORM.exec(url)
  if (match === null) throw invalid(`the URL is none of ${FORMS}`)
  const [, scheme, kind = 'standalone', userInfo, hosts, path = ''] = match as unknown as [
    string,
    string,
    ...(string | undefined)[],
  ]
  const shared = { ...parseUserInfo(userInfo), ...(scheme === 'rediss' ? { tls: true } : {}) }
  const nodes = (hosts as string)
    .split(',')
    .map(text => parseHost(text, kind === 'sentinel' ? SENTINEL_PORT : REDIS_PORT))
  const segments = path.split('/').slice(1)
  if (segments.at(-1) === '') segments.pop()
  if (kind === 'cluster') {
    if (segments.length > 0) throw invalid('a Cluster URL has no path: Cluster knows only database 0')
    return { kind, nodes, ...shared }
  }
  if (kind === 'sentinel') {
    const [master, dbText, ...rest] = segments
    if (!master || rest.length > 0) throw invalid('a Sentinel URL ends in /master or /master/db')
    return { kind, sentinels: nodes, master: decode(master, 'master'), ...parseDb(dbText), ...shared }
  }
  const [only, ...others] = nodes
  if (only === undefined || others.length > 0)
    throw invalid('a redis:// URL names one host; use redis+cluster or redis+sentinel')
  if (segments.length > 1) throw invalid('the path of a redis:// URL is one database number')
  return { kind: 'standalone', ...only, ...parseDb(segments[0]), ...shared }
}

/**
 * A checked copy of a target given as URL or object.
 *
 * @throws `ERR_REDIS_TARGET` (not retryable), naming the field.
 */
export function resolveTarget(target: string | ConnectTarget): ConnectTarget {
  const given: unknown = typeof target === 'string' ? parseRedisUrl(target) : target
  const parsed = targetSchema.safeParse(given)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw invalid(`${issue?.path.join('.') || 'target'}: ${issue?.message ?? 'invalid'}`)
  }
  const { data } = parsed
  if (data.username !== undefined && data.password === undefined) throw invalid('username without password')
  if (data.kind === 'sentinel' && data.sentinelUsername !== undefined && data.sentinelPassword === undefined) {
    throw invalid('sentinelUsername without sentinelPassword')
  }
  return data as ConnectTarget
}

function parseHost(text: string, defaultPort: number): { host: string; port: number } {
  const match = HOST_PORT.exec(text)
  if (match === null) throw invalid('a host is not a name or address with an optional port')
  const [, host = '', portText] = match
  const number = portText === undefined ? defaultPort : Number(portText)
  if (number < 1 || number > 65_535) throw invalid('a port is not between 1 and 65535')
  return { host: host.startsWith('[') ? host.slice(1, -1) : host, port: number }
}

function parseUserInfo(text: string | undefined): { username?: string; password?: string } {
  if (text === undefined) return {}
  const colon = text.indexOf(':')
  if (colon < 0 || colon === text.length - 1) throw invalid('credentials are user:password or :password')
  const username = decode(text.slice(0, colon), 'user')
  const password = decode(text.slice(colon + 1), 'password')
  return username === '' ? { password } : { username, password }
}

function parseDb(text: string | undefined): { db?: number } {
  if (text === undefined) return {}
  if (!/^\d{1,9}$/.test(text)) throw invalid('the database is not a number')
  return { db: Number(text) }
}

function decode(text: string, what: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalid(`the ${what} of the URL is not percent-encoded correctly`)
  }
}

function invalid(what: string): RedisCoreError {
  return new RedisCoreError('ERR_REDIS_TARGET', `invalid Redis target: ${what}`)
}
