import { formatError } from './claiming.ts'
import { doubtError, tellDoubt } from './doubt.ts'
import type { Doubt } from './doubt.ts'
import { grantOf, tell } from './engine.ts'
import type { Engine } from './engine.ts'
import type { Intent } from './intent.ts'
import { failedError, resultError } from './outcome.ts'
import type { Settled } from './outcome.ts'
import { sharedPayload } from './payload.ts'
import { reconcile } from './reconciliation.ts'
import type { Left, Reconciled } from './reconciliation.ts'
import { poll, sleep, waitLeftMs } from './waiting.ts'
import type { Waiting } from './waiting.ts'

/** What a call does after its doubt was looked at: it has its value, or claims once more. */
export type Settling =
  | { readonly kind: 'settled'; readonly settled: Settled }
  /** `verdict`: the key is now known not to have run; else someone else moved it. */
  | { readonly kind: 'claim'; readonly verdict: boolean }

/** How soon a sweeper looks again, at the latest, at what a call left in doubt: it knows when to report it, a call does not. */
const MAX_NEXT_LOOK_MS = 1000

function nextLookMs({ wantedMs = MAX_NEXT_LOOK_MS }: Left): number {
  return Math.min(wantedMs, MAX_NEXT_LOOK_MS)
}

/**
 * Doubt, met or made by a call. `manual`: a person decides. `reconcile`: looks the key up, waits for the settle time if
 * the call may wait that long, looks again.
 *
 * @throws IN_DOUBT, FAILED, RESULT, RESULT_NOT_KEPT, FORMAT; the caller's abort reason
 */
export async function settleDoubt(
  engine: Engine,
  intent: Intent,
  doubt: Doubt,
  waiting: Waiting,
  signal: AbortSignal | undefined,
): Promise<Settling> {
  if (doubt.mode !== 'reconcile') throw doubtError(engine, intent, doubt)
  try {
    return await settle(engine, intent, doubt, waiting, signal)
  } catch (error) {
    // Its caller has left with its own reason, but the doubt it leaves behind is for everyone to know.
    if (signal?.aborted && error === signal.reason) tellDoubt(engine, intent, doubt)
    throw error
  }
}

async function settle(
  engine: Engine,
  intent: Intent,
  doubt: Doubt,
  waiting: Waiting,
  signal: AbortSignal | undefined,
): Promise<Settling> {
  const { definition } = intent
  for (;;) {
    signal?.throwIfAborted()
    // Disposal has ended: the doubt is left to the sweepers of others.
    if (engine.closed.aborted) throw doubtError(engine, intent, doubt)
    const looked = await reconcile(engine, intent, { definition, signal, nextMs: nextLookMs })
    switch (looked.kind) {
      case 'ran':
        return { kind: 'settled', settled: await found(engine, intent, looked) }
      case 'failed':
        tell(engine, intent, looked.attempt, { type: 'replayed', source: 'lookup' })
        throw failedError(intent, looked.attempt, { failure: looked.failure, cause: doubt.cause })
      case 'not-run':
        return { kind: 'claim', verdict: true }
      case 'lapsed':
        return { kind: 'claim', verdict: false }
      case 'in-doubt': {
        // Cut short by its own caller, the lookup says nothing to those who wait for the same key.
        signal?.throwIfAborted()
        const still: Doubt = { ...looked.attempt, mode: looked.mode, reason: looked.reason, cause: doubt.cause }
        const waitMs = looked.settleInMs
        if (waitMs !== undefined && definition.onBusy === 'wait' && waitMs <= waitLeftMs(waiting)) {
          await sleep(waiting, waitMs, signal)
          if (!engine.closing.aborted) break
        }
        const retryAfterMs = waitMs ?? looked.retryAfterMs
        throw doubtError(engine, intent, still, retryAfterMs === undefined ? {} : { retryAfterMs })
      }
      case 'other':
        if (looked.state !== 'reconciling') return { kind: 'claim', verdict: false }
        signal?.throwIfAborted()
        // Another process is asking the receiver.
        if (definition.onBusy === 'reject' || engine.closing.aborted || !(await poll(waiting, signal))) {
          throw doubtError(engine, intent, doubt, { retryAfterMs: Math.max(1, looked.leftMs) })
        }
        break
      case 'store':
        signal?.throwIfAborted()
        throw doubtError(engine, intent, doubt, { storeError: looked.error })
      case 'format':
        throw formatError(intent)
    }
  }
}

async function found(engine: Engine, intent: Intent, looked: Extract<Reconciled, { kind: 'ran' }>): Promise<Settled> {
  const { attempt, found: answer } = looked
  const { encoded, body } = answer
  tell(engine, intent, attempt, { type: 'replayed', source: 'lookup' })
  if (!encoded.ok) {
    throw resultError(intent, 'write', encoded.issues, answer.value, { fence: attempt.fence, attempt: attempt.attempt })
  }
  const grant = grantOf(intent, attempt)
  return {
    execution: { ...grant, value: encoded.read(), status: 'replayed', recorded: true, source: 'lookup' },
    payload: sharedPayload(body),
  }
}
