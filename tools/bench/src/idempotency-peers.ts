import type { Redis } from 'ioredis'

import { claimScript } from '../../../packages/idempotency/src/redis/claim.ts'
import { finishScript } from '../../../packages/idempotency/src/redis/finish.ts'

const DAYS_3_S = 259_200
const LEASE_MS = 30_000

/** One way of guarding one effect: the first call of a key runs it, the second replays. */
export interface Contender {
  readonly name: string
  readonly call: (key: string) => Promise<void>
  /** The Redis key of a record. */
  readonly recordOf: (key: string) => Promise<string | undefined>
}

/** A client whose sent commands are counted. */
export function countedRedis(redis: Redis): { readonly client: Redis; sent(): number } {
  let sent = 0
  const counted: ReadonlySet<PropertyKey> = new Set(['eval', 'evalsha', 'get', 'set', 'setnx', 'expire', 'del', 'call'])
  const methods = new Map<PropertyKey, unknown>()
  const client = new Proxy(redis, {
    get(target, name) {
      const known = methods.get(name)
      if (known !== undefined) return known
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      const method = (...args: unknown[]): unknown => {
        if (counted.has(name)) sent += 1
        return Reflect.apply(value, target, args)
      }
      methods.set(name, method)
      return method
    },
  })
  return { client, sent: () => sent }
}

/** The peers, each over the same client as ours. */
export async function idempotencyPeers(redis: Redis, result: object): Promise<Contender[]> {
  return [seedShape(redis, result), await powertools(redis, result), await nodeIdempotency(redis, result)]
}

/**
 * The commands of ours and of Powertools without a library around them, as the seed shape is one: what the design costs
 * before anything is checked, timed or watched.
 */
export function commandsAlone(redis: Redis, result: object): Contender[] {
  return [ourCommands(redis, result), powertoolsCommands(redis, result)]
}

function ourCommands(redis: Redis, result: object): Contender {
  const bucket = 'commands:{00}:open'
  const member = (key: string): string => `order:${key}`
  const common = { fp: 'A'.repeat(22), mode: 'm', keepMs: String(DAYS_3_S * 1000), settleMs: 0 }
  const run = async (script: typeof claimScript | typeof finishScript, argv: readonly [string, ...string[]]) => {
    try {
      return (await redis.evalsha(script.sha1, ...argv)) as unknown[]
    } catch {
      // The first call of a fresh server.
      return (await redis.eval(script.text, ...argv)) as unknown[]
    }
  }
  return {
    name: 'ours, commands alone',
    async call(key) {
      const keys = { record: `commands:{00}:${member(key)}`, bucket }
      const token = 'B'.repeat(16)
      const claim = { ...common, member: member(key), token, memo: '', leaseMs: LEASE_MS, notAfter: 0 }
      const [tag, , , fence] = await run(claimScript, claimScript.encode({ keys, args: claim }))
      if (tag !== 'NEW') return
      const payload = `{"v":${JSON.stringify(result)}}`
      const end = { fence: String(fence), to: 'D', payload, attempt: 1, settled: -1 }
      await run(finishScript, finishScript.encode({ keys, args: { ...common, ...end, member: member(key), token } }))
    },
    recordOf: key => Promise.resolve(`commands:{00}:${member(key)}`),
  }
}

function powertoolsCommands(redis: Redis, result: object): Contender {
  const nameOf = (key: string): string => `powertools:${key}`
  return {
    name: 'powertools, commands alone',
    async call(key) {
      if ((await redis.set(nameOf(key), '{}', 'EX', DAYS_3_S, 'NX')) === null) {
        JSON.parse((await redis.get(nameOf(key))) ?? 'null')
        return
      }
      await redis.set(nameOf(key), JSON.stringify(result), 'EX', DAYS_3_S)
    },
    recordOf: key => Promise.resolve(nameOf(key)),
  }
}

/** SETNX, EXPIRE, GET, SET for a first run, SETNX, GET for a replay; rebuilt from the description of the original. */
function seedShape(redis: Redis, result: object): Contender {
  const keyOf = (key: string): string => `effect:order:${key}`
  return {
    name: 'seed shape',
    async call(key) {
      const name = keyOf(key)
      if ((await redis.setnx(name, '')) === 0) {
        JSON.parse((await redis.get(name)) ?? 'null')
        return
      }
      await redis.expire(name, DAYS_3_S)
      await redis.get(name)
      await redis.set(name, JSON.stringify(result), 'EX', DAYS_3_S)
    },
    recordOf: key => Promise.resolve(keyOf(key)),
  }
}

async function powertools(redis: Redis, result: object): Promise<Contender> {
  const { IdempotencyConfig, makeIdempotent } = await import('@aws-lambda-powertools/idempotency')
  const { CachePersistenceLayer } = await import('@aws-lambda-powertools/idempotency/cache')
  let last = ''
  const client = {
    get: (name: string) => redis.get(name),
    set: (name: unknown, value: unknown, options: unknown = {}) => {
      last = String(name)
      const { EX = DAYS_3_S, NX } = options as { EX?: number; NX?: boolean }
      return NX ? redis.set(last, String(value), 'EX', EX, 'NX') : redis.set(last, String(value), 'EX', EX)
    },
    del: (names: string[]) => redis.del(...names),
  }
  const config = new IdempotencyConfig({ expiresAfterSeconds: DAYS_3_S })
  config.lambdaContext = { getRemainingTimeInMillis: () => LEASE_MS } as NonNullable<typeof config.lambdaContext>
  const guarded = makeIdempotent(async (_payload: { key: string }) => await Promise.resolve(result), {
    persistenceStore: new CachePersistenceLayer({ client }),
    config,
    keyPrefix: 'order',
  })
  return {
    name: 'powertools',
    async call(key) {
      await guarded({ key })
    },
    async recordOf(key) {
      await guarded({ key })
      return last
    },
  }
}

async function nodeIdempotency(redis: Redis, result: object): Promise<Contender> {
  const { Idempotency } = await import('@node-idempotency/core')
  const storage = {
    setIfNotExists: async (name: string, value: string) =>
      (await redis.set(name, value, 'EX', DAYS_3_S, 'NX')) !== null,
    set: async (name: string, value: string) => {
      await redis.set(name, value, 'EX', DAYS_3_S)
    },
    get: async (name: string) => (await redis.get(name)) ?? undefined,
  }
  const guard = new Idempotency(storage, { cacheKeyPrefix: 'node-idempotency' })
  return {
    name: 'node-idempotency',
    async call(key) {
      const request = { headers: { 'idempotency-key': key }, path: '/order', method: 'POST', body: { key } }
      if ((await guard.onRequest(request)) !== undefined) return
      await guard.onResponse(request, { body: result })
    },
    recordOf: key => Promise.resolve(`node-idempotency:POST:/order:${key}`),
  }
}
