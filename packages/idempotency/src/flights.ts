import { busyError, call, mismatch } from './calling.ts'
import type { Definition } from './definition.ts'
import { NO_ATTEMPT, tell } from './engine.ts'
import type { Engine } from './engine.ts'
import { IdempotencyError } from './errors.ts'
import { createIntent } from './intent.ts'
import type { Intent } from './intent.ts'
import { replayDone } from './outcome.ts'
import type { Settled } from './outcome.ts'
import { runUnprotected } from './unprotected.ts'
import { createWaiting, waitLeftMs } from './waiting.ts'
import type { Waiting } from './waiting.ts'

/** How a flight ended for those who joined it: its leader may have left before there was anything to share. */
type Landed =
  | { readonly kind: 'settled'; readonly settled: Settled }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'left' }

/** A key this instance is working on. Twins join it: they cost no command. */
interface Flight {
  readonly fingerprint: string
  readonly landed: Promise<Landed>
}

export interface Flights {
  /** One call of an effect. Throws at once what is wrong with its input. */
  take(definition: Definition, input: unknown, signal: AbortSignal | undefined): Promise<Settled>
  /** How many are under way. */
  readonly size: number
  /** Resolves when those under way now have ended. */
  landing(): Promise<unknown>
}

/** All calls of one instance, by key. */
export function createFlights(engine: Engine): Flights {
  const flights = new Map<string, Flight>()

  function depart(id: string, intent: Intent, waiting: Waiting, signal: AbortSignal | undefined): Flight {
    const landed = call(engine, intent, { signal, waiting }).then(
      (settled): Landed => {
        flights.delete(id)
        return { kind: 'settled', settled }
      },
      (error: unknown): Landed => {
        flights.delete(id)
        return signal?.aborted && error === signal.reason ? { kind: 'left' } : { kind: 'failed', error }
      },
    )
    const flight: Flight = { fingerprint: intent.fingerprint, landed }
    flights.set(id, flight)
    return flight
  }

  async function fly(intent: Intent, signal: AbortSignal | undefined): Promise<Settled> {
    const waiting = createWaiting(engine, intent.definition.waitMs)
    const id = flightId(intent)
    for (;;) {
      const twin = flights.get(id)
      if (twin === undefined) {
        const landed = await raceSignal(depart(id, intent, waiting, signal).landed, signal)
        if (landed.kind === 'settled') return landed.settled
        throw landed.kind === 'failed' ? landed.error : signal?.reason
      }
      const joined = await join(engine, intent, twin, waiting, signal)
      if (joined) return joined
    }
  }

  return {
    take(definition, input, signal) {
      signal?.throwIfAborted()
      const intent = createOrObserve(engine, definition, input)
      return 'unusable' in intent ? runUnprotected(engine, intent.unusable) : fly(intent, signal)
    },
    get size() {
      return flights.size
    },
    landing: () => Promise.all([...flights.values()].map(flight => flight.landed)),
  }
}

function flightId({ place }: Intent): string {
  return `${place.effect}:${place.part}`
}

/** In observe mode a key or payload that enforcement would refuse still runs, without a name; a memo, without the memo. */
function createOrObserve(
  engine: Engine,
  definition: Definition,
  input: unknown,
): Intent | { readonly unusable: Intent } {
  try {
    return createIntent(engine.store, definition, input)
  } catch (error) {
    const { code, option } = error instanceof IdempotencyError ? error : {}
    if (engine.options.observe && code === 'ERR_IDEMPOTENCY_OPTIONS' && option === 'memo') {
      const without = createOrObserve(engine, { ...definition, memo: undefined }, input)
      return 'unusable' in without ? without : { unusable: without }
    }
    if (!engine.options.observe || (code !== 'ERR_IDEMPOTENCY_KEY' && code !== 'ERR_IDEMPOTENCY_FINGERPRINT'))
      throw error
    const place = { effect: definition.name, part: '', tag: '' }
    const nameless = { place, key: '', computeId: () => '', id: '' }
    return { unusable: { ...nameless, definition, input, fingerprint: '-', memoText: '' } }
  }
}

/** @returns undefined when the flight's leader left and the caller should start its own */
async function join(
  engine: Engine,
  intent: Intent,
  twin: Flight,
  waiting: Waiting,
  signal: AbortSignal | undefined,
): Promise<Settled | undefined> {
  const { fingerprint, definition } = intent
  if (fingerprint !== '-' && twin.fingerprint !== '-' && twin.fingerprint !== fingerprint) {
    return await mismatch(engine, intent, 'running')
  }
  if (engine.options.observe) {
    tell(engine, intent, NO_ATTEMPT, { type: 'busy', retryAfterMs: definition.leaseMs }, true)
    return await runUnprotected(engine, intent)
  }
  if (definition.onBusy === 'reject') throw busyError(engine, intent, definition.leaseMs)
  const joinedAtMs = engine.clock.monotonic()
  const landed = await raceTimeout(engine, twin.landed, waitLeftMs(waiting), signal)
  waiting.spentMs += engine.clock.monotonic() - joinedAtMs
  if (landed === undefined) throw busyError(engine, intent, definition.leaseMs)
  if (landed.kind === 'left') return undefined
  if (landed.kind === 'failed') throw landed.error
  return await share(engine, intent, landed.settled)
}

/** A twin gets the same outcome, read anew so that no two callers hold one object. */
async function share(engine: Engine, intent: Intent, { execution, payload }: Settled): Promise<Settled> {
  const source = execution.status === 'replayed' ? execution.source : 'executor'
  tell(engine, intent, { token: '', fence: execution.fence, attempt: execution.attempt }, { type: 'replayed', source })
  if (payload === undefined) return { execution, payload }
  const again = await replayDone(intent, { fence: execution.fence, attempt: execution.attempt, by: source }, payload)
  // What is not recorded must not be called a replay: the next process would run it again.
  return execution.recorded ? again : { execution: { ...execution, value: again.execution.value }, payload }
}

/** The caller's signal ends only its waiting; the flight goes on. */
function raceSignal<R>(work: Promise<R>, signal: AbortSignal | undefined): Promise<R> {
  if (signal === undefined) return work
  return new Promise<R>((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error)
    signal.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

function raceTimeout<R>(
  { clock }: Engine,
  work: Promise<R>,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<R | undefined> {
  let timer: { cancel(): void } | undefined
  const timeout = new Promise<undefined>(resolve => {
    timer = clock.setTimeout(() => resolve(undefined), timeoutMs)
  })
  return raceSignal(Promise.race([work, timeout]), signal).finally(() => timer?.cancel())
}
