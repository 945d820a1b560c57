import { randomBytes } from 'node:crypto'

import type { RedisClient } from '@safety/redis-core'
import type { Redis } from 'ioredis'

import { createIdempotency } from '../src/index.ts'
import type { Idempotency, IdempotencyEvent, IdempotencyOptions, LookupAnswer, RecordView } from '../src/index.ts'
import { createKeyLayout } from '../src/redis/keys.ts'

/** A namespace no other test uses. */
export function freshNamespace(): string {
  return `t${randomBytes(8).toString('hex')}`
}

export interface Instance extends AsyncDisposable {
  readonly idem: Idempotency
  readonly namespace: string
  readonly events: IdempotencyEvent[]
  /** The events of one type so far. */
  of<Type extends IdempotencyEvent['type']>(type: Type): Extract<IdempotencyEvent, { type: Type }>[]
}

/** One instance with its events collected. */
export function instance(redis: RedisClient, options: Partial<IdempotencyOptions> = {}): Instance {
  const namespace = options.namespace ?? freshNamespace()
  const events: IdempotencyEvent[] = []
  const idem = createIdempotency({ redis, ...options, namespace, onEvent: event => void events.push(event) })
  return {
    idem,
    namespace,
    events,
    of: <Type extends IdempotencyEvent['type']>(type: Type) =>
      events.filter((event): event is Extract<IdempotencyEvent, { type: Type }> => event.type === type),
    [Symbol.asyncDispose]: () => idem[Symbol.asyncDispose](),
  }
}

/** Waits until `ask` gives something; fails the test after 40 s. */
export async function eventually<R>(ask: () => R | undefined | false | Promise<R | undefined | false>): Promise<R> {
  const deadline = performance.now() + 40_000
  for (;;) {
    const answer = await ask()
    if (answer !== undefined && answer !== false) return answer
    if (performance.now() > deadline) throw new Error('it did not come to pass within 40 s')
    await sleep(5)
  }
}

export function sleep(delayMs: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, delayMs))
}

/** A promise and its handles: effects that end when the test says so. */
export interface Gate<R> {
  readonly promise: Promise<R>
  open(value: R): void
  fail(error: unknown): void
}

export function gate<R = void>(): Gate<R> {
  const { promise, resolve, reject } = Promise.withResolvers<R>()
  return { promise, open: resolve, fail: reject }
}

/** A receiver that remembers what took place under which id. */
export interface Receiver {
  readonly effects: { readonly effectId: string; readonly fence: number; readonly value: unknown }[]
  take<V>(ctx: { effectId: string; fence: number }, value: V): V
  /** Answers like an exchange's "order by client id". */
  lookup(ctx: { effectId: string }): Promise<LookupAnswer<never>>
  count(effectId?: string): number
}

export function receiver(): Receiver {
  const effects: { effectId: string; fence: number; value: unknown }[] = []
  return {
    effects,
    take(ctx, value) {
      effects.push({ effectId: ctx.effectId, fence: ctx.fence, value })
      return value
    },
    lookup(ctx) {
      const found = effects.find(effect => effect.effectId === ctx.effectId)
      return Promise.resolve(found ? { outcome: 'ran', value: found.value as never } : { outcome: 'not-run' })
    },
    count: effectId => effects.filter(effect => effectId === undefined || effect.effectId === effectId).length,
  }
}

/** The one record key of an effect and key, found as an outsider would. */
export async function recordKeys(
  redis: { keys(pattern: string): Promise<string[]> },
  namespace: string,
): Promise<string[]> {
  const keys = await redis.keys(`${namespace}:*`)
  return keys.filter(key => !key.endsWith('}:open'))
}

/** Ends the lease of a running record now, as a frozen process would let it. */
export async function lapse(redis: Redis, namespace: string, effect: string, key: string): Promise<void> {
  const layout = createKeyLayout(namespace)
  const { record, bucket, member } = layout.keysOf(layout.place(effect, key))
  const fields = ((await redis.get(record)) as string).split('|')
  const nowMs = Date.now() - 1
  const settleMs = Number(fields[6]) - Number(fields[4])
  fields[4] = String(nowMs)
  fields[6] = String(nowMs + settleMs)
  await redis.set(record, fields.join('|'), 'KEEPTTL')
  await redis.zadd(bucket, nowMs, member)
}

/** Another key of the effect whose record lies in the same bucket. */
export function inBucketOf(namespace: string, effect: string, key: string): string {
  const layout = createKeyLayout(namespace)
  const { tag } = layout.place(effect, key)
  for (let number = 0; ; number += 1) if (layout.place(effect, `k${number}`).tag === tag) return `k${number}`
}

/** What a rejected promise was rejected with. */
export async function rejection<E = { code?: string; outcome?: string; retryable?: boolean } & Record<string, unknown>>(
  work: Promise<unknown>,
): Promise<E> {
  try {
    await work
  } catch (error) {
    return error as E
  }
  throw new Error('it was expected to reject')
}

export async function collect(list: AsyncIterable<RecordView>): Promise<RecordView[]> {
  const views: RecordView[] = []
  for await (const view of list) views.push(view)
  return views
}
