import { formatError } from './claiming.ts'
import { doubtError } from './doubt.ts'
import type { Doubt } from './doubt.ts'
import { grantOf, tell } from './engine.ts'
import type { Engine } from './engine.ts'
import type { Intent } from './intent.ts'
import { failedError, resultError } from './outcome.ts'
import type { Settled } from './outcome.ts'
import { donePayload } from './payload.ts'
import { reconcile } from './reconciliation.ts'
import type { Reconciled } from './reconciliation.ts'
import { poll, sleep, waitLeftMs } from './waiting.ts'
import type { Waiting } from './waiting.ts'

/** What a call does after its doubt was looked at: it has its value, or claims once more. */
export type Settling =
  | { readonly kind: 'settled'; readonly settled: Settled }
  /** `verdict`: the key is now known not to have run; else someone else moved it. */
  | { readonly kind: 'claim'; readonly verdict: boolean }

/** How soon a sweeper looks again at what a caller's lookup left in doubt. */
const NEXT_LOOK_MS = 1000

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
  const { definition } = intent
  for (;;) {
    signal?.throwIfAborted()
    const looked = await reconcile(engine, intent, { definition, signal, nextMs: () => NEXT_LOOK_MS })
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
        const still: Doubt = { ...looked.attempt, mode: looked.mode, reason: looked.reason, cause: doubt.cause }
        const waitMs = looked.settleInMs
        if (waitMs !== undefined && definition.onBusy === 'wait' && waitMs <= waitLeftMs(waiting)) {
          await sleep(waiting, waitMs, signal)
          break
        }
        const retryAfterMs = waitMs ?? looked.retryAfterMs
        throw doubtError(engine, intent, still, retryAfterMs === undefined ? {} : { retryAfterMs })
      }
      case 'other':
        if (looked.state !== 'reconciling') return { kind: 'claim', verdict: false }
        // Another process is asking the receiver.
        if (definition.onBusy === 'reject' || !(await poll(waiting, signal))) {
          throw doubtError(engine, intent, doubt, { retryAfterMs: Math.max(1, looked.leftMs) })
        }
        break
      case 'store':
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
    payload: body.kind === 'too-large' ? undefined : donePayload(body),
  }
}
