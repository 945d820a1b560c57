import { createIdempotency } from '@safety/idempotency'
import type { Recovery } from '@safety/idempotency'
import type { Redis } from 'ioredis'

import type { WorkerProcess } from './faults-process.ts'

export const LEASE_MS = 60
export const SETTLE_MS = 210
const RETENTION_S = 259_200

/** What the effect leaves behind. Written by the effect alone, it is the truth. */
export interface Ledger {
  /** Entries under an effect id. */
  find(effectId: string): string | undefined
}

/** What one call told its caller: the result, or that it is done and there is nothing to be had. */
export type Told = { readonly result: string } | { readonly result: undefined }

/** One call in one process. It rejects when the caller should try again. */
export type GuardedCall = (
  worker: WorkerProcess,
  key: string,
  run: (effectId: string) => Promise<string>,
) => Promise<Told>

/** One way of guarding an effect. `dedupes`: the receiver refuses an effect id it has seen. */
export interface GuardRow {
  readonly name: string
  readonly what: string
  readonly dedupes?: boolean
  readonly create: (redis: Redis, namespace: string, ledger: Ledger) => Promise<GuardedCall>
}

export const guardRows: readonly GuardRow[] = [
  {
    name: 'seed-lease-ttl',
    what: 'SET NX with the lease as TTL, then the result; rebuilt',
    create: (redis, namespace) => seedShape(redis, namespace, { PX: LEASE_MS }, 'retry'),
  },
  {
    name: 'seed-72h',
    what: 'SET NX for 72 h, deleted on an error, a running key answers "done"; rebuilt',
    create: (redis, namespace) => seedShape(redis, namespace, { PX: RETENTION_S * 1000 }, 'done'),
  },
  { name: 'powertools', what: '@aws-lambda-powertools/idempotency over an ioredis adapter', create: powertools },
  { name: 'node-idempotency', what: '@node-idempotency/core over an ioredis adapter', create: nodeIdempotency },
  { name: 'ours-repeat', what: "recovery 'repeat'", create: ours(() => ({ mode: 'repeat' })) },
  { name: 'ours-no-settle', what: "recovery 'reconcile', settleMs 0", create: ours(ledger => reconcile(ledger, 0)) },
  {
    name: 'ours-reconcile',
    what: `recovery 'reconcile', settleMs ${SETTLE_MS}`,
    create: ours(ledger => reconcile(ledger, SETTLE_MS)),
  },
  {
    name: 'ours-receiver-dedupes',
    what: "recovery 'repeat', the receiver deduplicates by effectId",
    dedupes: true,
    create: ours(() => ({ mode: 'repeat' })),
  },
]

function ours(recoveryOf: (ledger: Ledger) => Recovery<string>): GuardRow['create'] {
  return (redis, namespace, ledger) =>
    Promise.resolve(async ({ clock }, key, run) => {
      const idem = createIdempotency({ redis, namespace, clock })
      const effect = idem.define({
        name: 'effect',
        key: (input: string) => input,
        recovery: recoveryOf(ledger),
        leaseMs: LEASE_MS,
        onBusy: 'reject',
        run: (_input, { effectId }) => run(effectId),
      })
      return { result: (await effect(key)).value }
    })
}

function reconcile(ledger: Ledger, settleMs: number): Recovery<string> {
  return {
    mode: 'reconcile',
    settleMs,
    lookup: ({ effectId }) => {
      const value = ledger.find(effectId)
      return Promise.resolve(value === undefined ? { outcome: 'not-run' } : { outcome: 'ran', value })
    },
  }
}

/** The shape the family grew from, rebuilt from its description: an empty value while running, then the result. */
function seedShape(
  redis: Redis,
  namespace: string,
  { PX }: { PX: number },
  whileRunning: 'done' | 'retry',
): Promise<GuardedCall> {
  return Promise.resolve(async (_worker, key, run) => {
    const name = `${namespace}:effect:${key}`
    if ((await redis.set(name, '', 'PX', PX, 'NX')) === null) {
      const stored = await redis.get(name)
      if (stored) return { result: JSON.parse(stored) as string }
      if (whileRunning === 'done') return { result: undefined }
      throw new Error('running')
    }
    try {
      const result = await run(key)
      await redis.set(name, JSON.stringify(result), 'EX', RETENTION_S)
      return { result }
    } catch (error) {
      await redis.del(name)
      throw error
    }
  })
}

async function powertools(redis: Redis, namespace: string): Promise<GuardedCall> {
  const { IdempotencyConfig, makeIdempotent } = await import('@aws-lambda-powertools/idempotency')
  const { CachePersistenceLayer } = await import('@aws-lambda-powertools/idempotency/cache')
  const client = {
    get: (name: string) => redis.get(name),
    set: (name: unknown, value: unknown, options: unknown = {}) => {
      const { EX, NX } = options as { EX?: number; NX?: boolean }
      const expiry = EX === undefined ? [] : ['EX', String(EX)]
      return redis.call('set', String(name), String(value), ...expiry, ...(NX ? ['NX'] : [])) as Promise<string | null>
    },
    del: (names: string[]) => redis.del(...names),
  }
  return async (_worker, key, run) => {
    const config = new IdempotencyConfig({ expiresAfterSeconds: RETENTION_S })
    config.lambdaContext = { getRemainingTimeInMillis: () => LEASE_MS } as NonNullable<typeof config.lambdaContext>
    const persistenceStore = new CachePersistenceLayer({ client })
    const guarded = makeIdempotent(async (payload: { key: string }) => await run(payload.key), {
      persistenceStore,
      config,
      keyPrefix: namespace,
    })
    return { result: await guarded({ key }) }
  }
}

async function nodeIdempotency(redis: Redis, namespace: string): Promise<GuardedCall> {
  const { Idempotency } = await import('@node-idempotency/core')
  const storage = {
    setIfNotExists: async (name: string, value: string, { ttl }: { ttl?: number } = {}) =>
      (await redis.set(name, value, 'PX', ttl ?? RETENTION_S * 1000, 'NX')) !== null,
    set: async (name: string, value: string, { ttl }: { ttl?: number } = {}) => {
      await redis.set(name, value, 'PX', ttl ?? RETENTION_S * 1000)
    },
    get: async (name: string) => (await redis.get(name)) ?? undefined,
  }
  return async (_worker, key, run) => {
    const guard = new Idempotency(storage, { cacheKeyPrefix: namespace, cacheTTLMS: RETENTION_S * 1000 })
    const request = { headers: { 'idempotency-key': key }, path: '/effect', method: 'POST', body: { key } }
    const kept = await guard.onRequest<string, unknown>(request)
    if (kept !== undefined) return { result: kept.body }
    const result = await run(key)
    await guard.onResponse(request, { body: result })
    return { result }
  }
}
