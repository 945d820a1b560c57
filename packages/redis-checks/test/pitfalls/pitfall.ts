import { createRequire } from 'node:module'

import { connectRedis } from '@safety/redis-core'
import type { ConnectTarget, RedisClient } from '@safety/redis-core'
import { Cluster, Redis } from 'ioredis'
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5'
import type { TaskMeta } from 'vitest'

import { lintClient } from '../../src/index.ts'
import type { LintClientOptions } from '../../src/index.ts'
import { until } from '../harness.ts'
import type { RowName } from './rows.ts'

declare module 'vitest' {
  interface TaskMeta {
    /** What this test measured, for evidence.json. */
    evidence?: { version: string; row: RowName; figure: string }
  }
}

/** An ioredis whose behaviour is shown. */
export interface Version {
  readonly name: string
  readonly version: string
  readonly redis: (options: object) => Redis
  readonly cluster: (ports: readonly number[], options: object) => Cluster
}

type AnyRedis = new (options: object) => Redis
type AnyCluster = new (nodes: object[], options: object) => Cluster

const require = createRequire(import.meta.url)

function versionOf(name: 'ioredis' | 'ioredis5', redis: unknown, cluster: unknown): Version {
  const [MakeRedis, MakeCluster] = [redis as AnyRedis, cluster as AnyCluster]
  const { version } = require(`${name}/package.json`) as { version: string }
  const quiet = <T extends RedisClient>(client: T): T => {
    client.on('error', () => undefined)
    return client
  }
  return {
    name: `ioredis ${version}`,
    version,
    redis: options => quiet(new MakeRedis({ host: '127.0.0.1', ...options })),
    cluster: (ports, options) =>
      quiet(
        new MakeCluster(
          ports.map(port => ({ host: '127.0.0.1', port })),
          options,
        ),
      ),
  }
}

const newest = versionOf('ioredis', Redis, Cluster)
const oldest = versionOf('ioredis5', Redis5, Cluster5)

/** The newest version that is installed, and the oldest of the peer range; under `pnpm test --ioredis 5` they are one. */
export const versions: readonly Version[] = newest.version === oldest.version ? [oldest] : [newest, oldest]

/** Where nothing listens. */
export const AWAY = 1

/** The remedy: the client of connectRedis. */
export function safe(target: string | ConnectTarget): RedisClient {
  return connectRedis(target, { commandTimeoutMs: 300 })
}

/** Once a Cluster client of connectRedis has a connection to every master: until then it refuses, and queues nothing. */
export async function mastersReady(redis: RedisClient, masters = 3): Promise<void> {
  const cluster = redis as Cluster
  await until(() => {
    const nodes = cluster.status === 'ready' ? cluster.nodes('master') : []
    return nodes.length === masters && nodes.every(({ status }) => status === 'ready')
  })
}

/** What the lint says of a check on a client. */
export function lintLevel(redis: RedisClient, id: string, options: Partial<LintClientOptions> = {}): string {
  return lintClient(redis, { role: 'effect', ...options }).find(result => result.id === id)?.level ?? '-'
}

/** Hands what a test measured to `pnpm pitfalls`. The same figure in each run, or the evidence would change by itself. */
export function measured(task: { meta: TaskMeta }, { version }: Version, row: RowName, figure: string): void {
  task.meta.evidence = { version, row, figure }
}

/** How a call has ended after some time. */
export async function endingOf(call: Promise<unknown>, withinMs: number): Promise<'resolved' | 'rejected' | 'pending'> {
  const late = new Promise<'pending'>(resolve => setTimeout(() => resolve('pending'), withinMs))
  return Promise.race([
    late,
    call.then(
      () => 'resolved' as const,
      () => 'rejected' as const,
    ),
  ])
}
