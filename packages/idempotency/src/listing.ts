import { classifyRedisError } from '@safety/redis-core'
import { z } from 'zod'

import { formatError } from './claiming.ts'
import type { Engine } from './engine.ts'
import { IdempotencyError } from './errors.ts'
import { subjectOf } from './intent.ts'
import { locate } from './locating.ts'
import type { CallOptions } from './operator.ts'
import { bounded, check } from './options.ts'
import { ask, readableView } from './reading.ts'
import { STATE_LETTERS } from './record.ts'
import type { RecordState, RecordView } from './record.ts'
import type { Place } from './store.ts'

/**
 * What `list` gives: every record that is open (with `all`: there) from the first step of the walk to the last, once,
 * whatever becomes of others meanwhile, verdicts of who walks it included. One that begins or ends meanwhile may be
 * missing. Records that cannot be read are told of after all others, by FORMAT.
 */
export interface ListOptions {
  /** Only this effect. */
  effect?: string | undefined
  /** Only these states. @default all that `all` lets through */
  states?: readonly RecordState[] | undefined
  /**
   * Scans all records, final ones too. A failover or a slot that moves during a scan may hide some.
   *
   * @default false: the open ones (running, in doubt, reconciling)
   */
  all?: boolean | undefined
  /** At most so many, 1..1000000. @default no limit */
  limit?: number | undefined
}

/** States nothing is left to decide in. */
export const FINAL_STATES: ReadonlySet<RecordState> = new Set(['done', 'failed', 'not-run'])

const LIST = z.strictObject({
  effect: z.string().optional(),
  states: z.array(z.enum(Object.keys(STATE_LETTERS) as [RecordState, ...RecordState[]])).optional(),
  all: z.boolean().optional(),
  limit: bounded(1, 1_000_000).optional(),
})

/** One record; undefined if there is none. @throws KEY, STORE, FORMAT; the abort reason */
export async function inspectRecord(
  engine: Engine,
  effect: string,
  key: string,
  { signal }: CallOptions = {},
): Promise<RecordView | undefined> {
  const subject = await locate(engine, effect, key, signal)
  return await read(engine, subject.place, signal)
}

/**
 * Walks the records as `ListOptions` promises. Of open ones it holds one bucket at a time, about a 128th of them.
 *
 * @throws OPTIONS, STORE; FORMAT after all others, if some records cannot be read; the abort reason
 */
export async function* listRecords(
  engine: Engine,
  options: ListOptions = {},
  call: CallOptions = {},
): AsyncGenerator<RecordView> {
  const { effect, states, all = false, limit = Number.POSITIVE_INFINITY } = check(LIST, options)
  const { signal } = call
  const unreadable: { first?: Place; count: number } = { count: 0 }
  let given = 0
  for await (const place of all ? once(scanned(engine, effect, signal)) : opened(engine, signal)) {
    signal?.throwIfAborted()
    if (effect !== undefined && place.effect !== effect) continue
    const view = await readOr(engine, place, signal, () => {
      unreadable.first ??= place
      unreadable.count += 1
    })
    if (!view || (states !== undefined && !states.includes(view.state))) continue
    if (!all && FINAL_STATES.has(view.state)) continue
    yield view
    given += 1
    if (given >= limit) break
  }
  if (unreadable.first) throw unreadableError(engine, unreadable.first, unreadable.count - 1)
}

async function* opened(engine: Engine, signal: AbortSignal | undefined): AsyncGenerator<Place> {
  for (const tag of engine.store.tags) yield* await ask(engine, signal, send => engine.store.open(tag, send))
}

async function* scanned(
  engine: Engine,
  effect: string | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<Place> {
  try {
    yield* engine.store.scan(effect, { deadlineMs: engine.options.storeBudgetMs, signal })
  } catch (cause) {
    signal?.throwIfAborted()
    const refused = classifyRedisError(cause) === 'refused'
    const what = refused
      ? 'the store refuses a scan. A retry will not help: see the cause'
      : 'the store did not answer a scan; the list is not complete'
    throw new IdempotencyError('ERR_IDEMPOTENCY_STORE', what, { retryable: !refused, cause })
  }
}

/** A scan may give one place twice. */
async function* once(places: AsyncIterable<Place>): AsyncGenerator<Place> {
  const seen = new Set<string>()
  for await (const place of places) {
    const id = `${place.tag}:${place.effect}:${place.part}`
    if (seen.has(id)) continue
    seen.add(id)
    yield place
  }
}

/** @throws FORMAT for what this version cannot read, STORE; the abort reason */
async function read(engine: Engine, place: Place, signal: AbortSignal | undefined): Promise<RecordView | undefined> {
  const subject = subjectOf(engine.store, place)
  const text = await ask(engine, signal, send => engine.store.read(place, send), subject)
  if (text === undefined) return undefined
  const view = readableView(subject, text)
  if (!view) throw formatError(subject)
  return view
}

/** Tells of a record that cannot be read instead of ending with it. */
async function readOr(
  engine: Engine,
  place: Place,
  signal: AbortSignal | undefined,
  onUnreadable: () => void,
): Promise<RecordView | undefined> {
  try {
    return await read(engine, place, signal)
  } catch (error) {
    if (!isUnreadable(error)) throw error
    onUnreadable()
    return undefined
  }
}

/** Another version's record, a key of another type, a name that stands for no key. */
function isUnreadable(error: unknown): boolean {
  if (error instanceof URIError) return true
  if (!(error instanceof IdempotencyError)) return false
  const { redisCode } = (error.cause ?? {}) as { redisCode?: unknown }
  return error.code === 'ERR_IDEMPOTENCY_FORMAT' || redisCode === 'WRONGTYPE'
}

function unreadableError({ store }: Engine, place: Place, more: number): IdempotencyError {
  const { effect } = place
  const effectId = store.effectId(place)
  const what = `its record${more > 0 ? `, and ${more} more,` : ''} cannot be read: written by another version of this package, or by something else`
  const message = `effect ${effect} (${effectId}): ${what}. It hides no other. Update this process to see it`
  return new IdempotencyError('ERR_IDEMPOTENCY_FORMAT', message, { effect, effectId })
}
