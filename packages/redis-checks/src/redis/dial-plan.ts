import type { ConnectionOptions } from 'node:tls'

import { connectRedis } from '@safety/redis-core'
import type { RedisClient } from '@safety/redis-core'
import type { NatMap, Redis, RedisOptions } from 'ioredis'

import { isCluster } from '../client-subject.ts'

export interface Address {
  readonly host: string
  readonly port: number
  /** A Unix socket instead. */
  readonly path?: string
}

/** How to reach every node behind a client, read from its options. The client itself is never used. */
export interface DialPlan {
  readonly kind: 'standalone' | 'sentinel' | 'cluster'
  /** The server, the sentinels, or the nodes a Cluster client starts from. */
  readonly seeds: readonly Address[]
  readonly masterName: string | undefined
  readonly natMap: NatMap | undefined
  /** Of the application's keys. */
  readonly keyPrefix: string
  /** The user of the data nodes. */
  readonly user: string
  readonly secrets: readonly string[]
  /** How redis-cli logs in to a node: it asks for the password, so that no command shows one. */
  readonly cliFlags: (kind: 'data' | 'sentinel') => readonly string[]
  dial(address: Address, kind: 'data' | 'sentinel', timeoutMs: number): Redis
}

interface Access {
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly tls?: ConnectionOptions | undefined
  readonly db?: number | undefined
  readonly family?: number | undefined
}

export function planDial(client: RedisClient): DialPlan {
  return isCluster(client) ? planCluster(client) : planSingle(client.options)
}

function planSingle(options: RedisOptions): DialPlan {
  const data = accessOf(options)
  const sentinels = options.sentinels ?? []
  if (sentinels.length === 0) {
    const { host = 'localhost', port = 6379, path } = options
    const seed = { host, port, ...(path === undefined || path === null ? {} : { path }) }
    return createPlan({ kind: 'standalone', seeds: [seed], data, sentinel: data, options })
  }
  const seeds = sentinels.map(({ host = 'localhost', port = 26_379 }) => ({ host, port }))
  const secure = options.enableTLSForSentinelMode === true
  const sentinel: Access = {
    username: options.sentinelUsername ?? undefined,
    password: options.sentinelPassword ?? undefined,
    ...(secure ? { tls: options.sentinelTLS ?? {} } : {}),
  }
  return createPlan({ kind: 'sentinel', seeds, data: secure ? data : { ...data, tls: undefined }, sentinel, options })
}

function planCluster(client: RedisClient): DialPlan {
  const { startupNodes = [] } = client as unknown as { startupNodes?: readonly unknown[] }
  const top = client.options as { redisOptions?: RedisOptions; natMap?: NatMap; keyPrefix?: string }
  const node = top.redisOptions ?? {}
  const seeds = startupNodes.map(toAddress)
  const first = startupNodes.find((item): item is RedisOptions => typeof item === 'object' && item !== null)
  const data = accessOf({ ...first, ...node })
  const options: RedisOptions = {
    ...node,
    ...(top.natMap === undefined ? {} : { natMap: top.natMap }),
    keyPrefix: top.keyPrefix ?? node.keyPrefix ?? '',
  }
  return createPlan({ kind: 'cluster', seeds, data: { ...data, db: 0 }, sentinel: data, options })
}

function toAddress(item: unknown): Address {
  if (typeof item === 'number') return { host: '127.0.0.1', port: item }
  if (typeof item === 'string') {
    const url = new URL(item.includes('://') ? item : `redis://${item}`)
    return { host: url.hostname, port: url.port === '' ? 6379 : Number(url.port) }
  }
  const { host = '127.0.0.1', port = 6379 } = (item ?? {}) as { host?: string; port?: number }
  return { host, port }
}

function accessOf(options: RedisOptions): Access {
  return {
    username: options.username ?? undefined,
    password: options.password ?? undefined,
    tls: options.tls,
    db: options.db,
    family: options.family,
  }
}

function createPlan(from: {
  readonly kind: DialPlan['kind']
  readonly seeds: readonly Address[]
  readonly data: Access
  readonly sentinel: Access
  readonly options: RedisOptions
}): DialPlan {
  const { kind, seeds, data, sentinel, options } = from
  const secrets = [data.password, sentinel.password].filter(text => text !== undefined && text !== '') as string[]
  return {
    kind,
    seeds,
    secrets,
    user: data.username ?? 'default',
    masterName: options.name ?? undefined,
    natMap: options.natMap ?? undefined,
    keyPrefix: options.keyPrefix ?? '',
    cliFlags: role => cliFlags(role === 'sentinel' ? sentinel : data),
    dial: (address, role, timeoutMs) => dial(address, role === 'sentinel' ? sentinel : data, role, timeoutMs),
  }
}

function cliFlags({ username, password, tls }: Access): readonly string[] {
  const named = username !== undefined && username !== '' && username !== 'default'
  return [
    ...(tls === undefined || tls === null ? [] : ['--tls']),
    ...(named ? ['--user', username] : []),
    ...(password === undefined || password === '' ? [] : ['--askpass']),
  ]
}

/** How long a server may take to hang up. */
const HANG_UP_MS = 20

function dial(address: Address, access: Access, role: 'data' | 'sentinel', timeoutMs: number): Redis {
  const { host, port, path } = address
  const { username, password, tls, family, db } = access
  const boundedMs = Math.min(60_000, Math.max(10, Math.ceil(timeoutMs)))
  const base = connectRedis(
    {
      kind: 'standalone',
      host,
      port,
      ...(username === undefined || username === '' ? {} : { username }),
      ...(password === undefined || password === '' ? {} : { password }),
      ...(tls === undefined || tls === null ? {} : { tls }),
      ...(role === 'data' && db !== undefined ? { db } : {}),
    },
    { profile: 'checks', protocol: 2, connectTimeoutMs: boundedMs, commandTimeoutMs: boundedMs },
  ) as Redis
  // The duplicate keeps the profile. Its ready check would wait for a loading server and print when INFO is refused;
  // CLIENT SETINFO would leave a line in the ACL log of a user without it.
  return base.duplicate({
    enableReadyCheck: false,
    disableClientInfo: true,
    // A hung server never answers the end of the connection, and what is pending ends only with the socket.
    disconnectTimeout: HANG_UP_MS,
    ...(path === undefined ? {} : { path }),
    ...(family === undefined ? {} : { family }),
  })
}

/** The address a name of the deployment stands for from here. */
export function throughNat(address: Address, natMap: NatMap | undefined): Address {
  if (natMap === undefined) return address
  const key = `${address.host}:${address.port}`
  const mapped = typeof natMap === 'function' ? natMap(key) : natMap[key]
  return mapped === undefined || mapped === null ? address : { host: mapped.host, port: mapped.port }
}

export function idOf({ host, port, path }: Address): string {
  return path ?? `${host}:${port}`
}
