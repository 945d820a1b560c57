import type { Clock, Random } from '@safety/redis-core'

import type { Background } from './background.ts'
import type { Definition } from './definition.ts'
import { IdempotencyError } from './errors.ts'
import type { IdempotencyErrorCode, IdempotencyErrorFields } from './errors.ts'
import type { EventBase, IdempotencyEvent } from './events.ts'
import type { ResolvedOptions } from './options.ts'
import type { Grant } from './record.ts'
import type { Place, Store } from './store.ts'

/** What all parts of one `Idempotency` work with. */
export interface Engine {
  readonly options: ResolvedOptions
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  /** A fresh name for one attempt, reconciler or verdict. */
  readonly newToken: () => string
  readonly emit: (make: () => IdempotencyEvent) => void
  readonly background: Background
  /** Effects defined here, by name; the last definition of a name serves the sweeper. */
  readonly definitions: Map<string, Definition>
  /** Aborts when disposal begins: from then on nothing is dispatched, and no call waits. */
  readonly closing: AbortSignal
  /** Aborts when disposal stops waiting for background work. */
  readonly closed: AbortSignal
}

/** One key of one effect, as errors and events name it. */
export interface Subject {
  readonly place: Place
  /** The key as it is stored and shown. */
  readonly key: string
  readonly computeId: (place: Place) => string
  /** The effect id once it was asked for; see `effectIdOf`. */
  id: string | undefined
}

/** The intent's name outside this system. Computed when it is first asked for, as a claim can do without. */
export function effectIdOf(subject: Subject): string {
  return (subject.id ??= subject.computeId(subject.place))
}

/** The attempt a fact is about; all of it may be unknown. */
export interface AttemptFacts {
  readonly token: string
  readonly fence: number
  readonly attempt: number
}

export const NO_ATTEMPT: AttemptFacts = { token: '', fence: 0, attempt: 0 }

export function grantOf(subject: Subject, { fence, attempt }: { fence: number; attempt: number }): Grant {
  return { key: subject.key, effectId: effectIdOf(subject), fence, attempt }
}

type Fact = IdempotencyEvent extends infer E ? (E extends IdempotencyEvent ? Omit<E, keyof EventBase> : never) : never

/**
 * Emits one fact about one attempt; `observed` marks what enforcement would have stopped. Given as a function, the fact is
 * made only if somebody listens.
 */
export function tell(
  engine: Engine,
  subject: Subject,
  facts: AttemptFacts,
  fact: Fact | (() => Fact),
  observed = false,
): void {
  engine.emit(() => ({
    ...(typeof fact === 'function' ? fact() : fact),
    effect: subject.place.effect,
    effectId: effectIdOf(subject),
    fence: facts.fence,
    attempt: facts.attempt,
    token: facts.token,
    atMs: engine.clock.now(),
    ...(observed ? { observed: true } : {}),
  }))
}

/** An error that names the effect and the attempt, never the key. */
export function errorAbout(
  subject: Subject,
  code: IdempotencyErrorCode,
  what: string,
  fields: IdempotencyErrorFields = {},
): IdempotencyError {
  const { effect } = subject.place
  const effectId = effectIdOf(subject)
  return new IdempotencyError(code, `effect ${effect} (${effectId}): ${what}`, {
    effect,
    effectId,
    ...fields,
  })
}

/** Disposal ended a call before its effect was dispatched. `unknown`: it had met another attempt, or a doubt. */
export function closedBefore(subject: Subject, outcome: 'not-run' | 'unknown'): IdempotencyError {
  const met = outcome === 'not-run' ? 'nothing ran' : 'nothing ran here, another attempt may have'
  const what = `this instance was disposed before the call was dispatched; ${met}. Create a new one`
  return errorAbout(subject, 'ERR_IDEMPOTENCY_CLOSED', what, { outcome })
}
