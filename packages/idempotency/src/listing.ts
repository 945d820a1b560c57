import { z } from 'zod'

import { formatError } from './claiming.ts'
import type { Engine } from './engine.ts'
import { IdempotencyError } from './errors.ts'
import { subjectOf } from './intent.ts'
import { locate } from './locating.ts'
import type { CallOptions } from './operator.ts'
import { bounded, check } from './options.ts'
import { ask } from './reading.ts'
import { STATE_LETTERS } from './record.ts'
import type { RecordState, RecordView } from './record.ts'
import type { Place } from './store.ts'
import { toView } from './view.ts'

export interface ListOptions {
  /** Only this effect. */
  effect?: string | undefined
  /** Only these states. @default all that `all` lets through */
  states?: readonly RecordState[] | undefined
  /** Scans all records, final ones too. @default false: the open ones (running, in doubt, reconciling) */
  all?: boolean | undefined
  /** At most so many, 1..1000000. @default no limit */
  limit?: number | undefined
}

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

/** Open records, or all. A record that ends while the list is read may be missing; none is given twice. */
export async function* listRecords(
  engine: Engine,
  options: ListOptions = {},
  call: CallOptions = {},
): AsyncGenerator<RecordView> {
  const { effect, states, all = false, limit = Number.POSITIVE_INFINITY } = check(LIST, options)
  const { signal } = call
  const seen = new Set<string>()
  let given = 0
  for await (const place of all ? scanned(engine, effect, signal) : opened(engine, signal)) {
    signal?.throwIfAborted()
    if (effect !== undefined && place.effect !== effect) continue
    const id = `${place.tag}:${place.effect}:${place.part}`
    if (seen.has(id)) continue
    seen.add(id)
    const view = await read(engine, place, signal)
    if (!view || (states !== undefined && !states.includes(view.state))) continue
    yield view
    given += 1
    if (given >= limit) return
  }
}

async function* opened(engine: Engine, signal: AbortSignal | undefined): AsyncGenerator<Place> {
  for (const tag of engine.store.tags) {
    let offset: number | undefined = 0
    while (offset !== undefined) {
      const from: number = offset
      const page: Awaited<ReturnType<Engine['store']['open']>> = await ask(engine, signal, send =>
        engine.store.open(tag, from, send),
      )
      yield* page.places
      offset = page.next
    }
  }
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
    throw new IdempotencyError('ERR_IDEMPOTENCY_STORE', 'the store did not answer a scan; the list is not complete', {
      cause,
    })
  }
}

async function read(engine: Engine, place: Place, signal: AbortSignal | undefined): Promise<RecordView | undefined> {
  const subject = subjectOf(engine.store, place)
  const text = await ask(engine, signal, send => engine.store.read(place, send), subject)
  if (text === undefined) return undefined
  const view = toView(subject, text)
  if (!view) throw formatError(subject)
  return view
}
