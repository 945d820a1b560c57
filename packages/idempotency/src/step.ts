import { classifyRedisError } from '@safety/redis-core'

import type { Engine } from './engine.ts'
import type { Answer, SendOptions } from './store.ts'

/** How a step on the store ended, its repeats included. */
export type Step<R> =
  | {
      readonly ok: true
      readonly answer: Answer<R>
      /** Monotonic; when the first command that may have run was sent. */
      readonly firstSentAtMs: number
    }
  | {
      readonly ok: false
      readonly error: unknown
      /** The store refuses this caller (rights, types); repeats would be too. */
      readonly refused: boolean
      /** One of the commands may have run. */
      readonly mayHaveRun: boolean
    }

export interface StepBudget {
  /** Monotonic; no command is sent later. */
  readonly endsAtMs: number
  readonly signal?: AbortSignal | undefined
  /** Every command waits for replicas, for up to twice its `timeoutMs` beyond `storeTimeoutMs`: others may wait when it comes. */
  readonly durability?: SendOptions['durability']
}

const FIRST_DELAY_MS = 10
const MAX_DELAY_MS = 250

/** What replicas may take: the WAIT that is under way, and the own one. */
function waitingMs(durability: SendOptions['durability']): number {
  return 2 * (durability?.timeoutMs ?? 0)
}

/** A budget of `storeBudgetMs` from now, and the time replicas may take. */
export function storeBudget(engine: Engine, signal?: AbortSignal, durability?: SendOptions['durability']): StepBudget {
  const endsAtMs = engine.clock.monotonic() + engine.options.storeBudgetMs + waitingMs(durability)
  return { endsAtMs, signal, durability }
}

/**
 * Sends one command, and the same again while it fails and the budget lasts. Only a refusal ends it early. Every
 * command carries a token, so that a repeat of one that ran is answered like the first.
 */
export async function step<R>(
  engine: Engine,
  { endsAtMs, signal, durability }: StepBudget,
  send: (options: SendOptions) => Promise<Answer<R>>,
): Promise<Step<R>> {
  const { clock, random, options } = engine
  const timeoutMs = options.storeTimeoutMs + waitingMs(durability)
  let firstSentAtMs: number | undefined
  let telling: unknown
  let delayMs = FIRST_DELAY_MS
  for (;;) {
    const sentAtMs = clock.monotonic()
    const deadlineMs = Math.min(timeoutMs, endsAtMs - sentAtMs)
    try {
      const answer = await send({ deadlineMs, signal, durability })
      return { ok: true, answer, firstSentAtMs: firstSentAtMs ?? answer.sentAtMs }
    } catch (error) {
      if (signal?.aborted) return { ok: false, error: signal.reason, refused: false, mayHaveRun: true }
      const verdict = verdictOf(error)
      if (verdict === 'unknown') firstSentAtMs ??= sentAtMs
      const refused = verdict === 'refused' || neverAllowed(error)
      const leftMs = endsAtMs - clock.monotonic()
      // What the server said tells more than the reconnect that followed it.
      if (telling === undefined || redisCodeOf(error) !== undefined) telling = error
      if (refused || leftMs <= delayMs) {
        return { ok: false, error: telling, refused, mayHaveRun: firstSentAtMs !== undefined }
      }
    }
    try {
      await clock.sleep(delayMs * (0.5 + random.float() / 2), signal ? { signal } : {})
    } catch {
      return { ok: false, error: signal?.reason, refused: false, mayHaveRun: firstSentAtMs !== undefined }
    }
    delayMs = Math.min(delayMs * 2, MAX_DELAY_MS)
  }
}

/** What an error of the store says, by the code redis-core gave it. */
function verdictOf(error: unknown): 'not-run' | 'refused' | 'unknown' {
  const code = (error as { code?: unknown } | null)?.code
  if (code === 'ERR_REDIS_NOT_RUN') return 'not-run'
  // A reply that cannot be read, or a call that cannot be encoded, stays so.
  if (
    code === 'ERR_REDIS_REFUSED' ||
    code === 'ERR_REDIS_REPLY' ||
    code === 'ERR_REDIS_SCRIPT' ||
    code === 'ERR_REDIS_OPTIONS'
  ) {
    return 'refused'
  }
  return 'unknown'
}

function redisCodeOf(error: unknown): unknown {
  return (error as { redisCode?: unknown } | null)?.redisCode
}

/** On a client that may re-send, a refusal arrives as unknown: an earlier copy may have run. A repeat is refused all the same. */
function neverAllowed(error: unknown): boolean {
  return classifyRedisError((error as { cause?: unknown } | null)?.cause) === 'refused'
}
