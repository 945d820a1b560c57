import { failpoint } from '@safety/redis-core'

import { errorAbout, NO_ATTEMPT, tell } from './engine.ts'
import type { Engine, Subject } from './engine.ts'
import type { IdempotencyError } from './errors.ts'
import type { Intent } from './intent.ts'
import { step, storeBudget } from './step.ts'
import type { Step } from './step.ts'
import type { ClaimReply } from './store.ts'

type Answered = Exclude<ClaimReply, { tag: 'LATE' | 'ENDED' | 'FORMAT' }>

/** The store's answer to a claim; with OWN, the lease counts from `leaseFromMs` (monotonic), before the claim was sent. */
export type Claimed =
  | {
      readonly kind: 'answered'
      readonly reply: Answered
      readonly token: string
      readonly leaseFromMs: number
      readonly replicas: number | undefined
      /** Since this process itself noticed a loss in the bucket; -1 if it never did. */
      readonly ownLossAgeMs: number
    }
  | { readonly kind: 'away'; readonly error: unknown; readonly refused: boolean }
  | { readonly kind: 'aborted' }
  /** The record is of another version. */
  | { readonly kind: 'format' }

/**
 * Claims a key with a fresh token, repeated with the same token inside the budget. LATE corrects the estimate of the
 * server's clock and goes on; ENDED asks for a new token. Giving up after an unknown answer sends `abandon` behind.
 */
export async function claim(engine: Engine, intent: Intent, signal: AbortSignal | undefined): Promise<Claimed> {
  const budget = storeBudget(engine, signal, intent.definition.durability)
  let token = engine.newToken()
  let unknownSinceMs: number | undefined
  const stop = failpoint('idempotency:before-claim')
  if (stop) await stop
  for (;;) {
    if (signal?.aborted) return { kind: 'aborted' }
    const claimed: Step<ClaimReply> = await step(engine, budget, options =>
      engine.store.claim(intent.place, claimInput(intent, token), options),
    )
    const after = failpoint('idempotency:after-claim')
    if (after) await after
    if (!claimed.ok) {
      if (claimed.mayHaveRun || unknownSinceMs !== undefined) abandon(engine, intent, token)
      return signal?.aborted ? { kind: 'aborted' } : { kind: 'away', error: claimed.error, refused: claimed.refused }
    }
    const { reply, sentAtMs, replicas, ownLossAgeMs } = claimed.answer
    switch (reply.tag) {
      case 'LATE':
        unknownSinceMs ??= claimed.firstSentAtMs < sentAtMs ? claimed.firstSentAtMs : undefined
        tell(engine, intent, { ...NO_ATTEMPT, token }, { type: 'ghost-refused', why: 'late' })
        break
      case 'ENDED':
        tell(engine, intent, { ...NO_ATTEMPT, token }, { type: 'ghost-refused', why: 'ended' })
        token = engine.newToken()
        unknownSinceMs = undefined
        break
      case 'FORMAT':
        return { kind: 'format' }
      case 'OWN':
        // Granted by an earlier command of this token, whose reply was lost: the lease began then.
        if (reply.how === 'again') {
          const leaseFromMs = unknownSinceMs ?? claimed.firstSentAtMs
          return { kind: 'answered', reply, token, leaseFromMs, replicas, ownLossAgeMs }
        }
        return { kind: 'answered', reply, token, leaseFromMs: sentAtMs, replicas, ownLossAgeMs }
      case 'D':
      case 'F':
      case 'BUSY':
      case 'U':
      case 'MISMATCH':
        return { kind: 'answered', reply, token, leaseFromMs: sentAtMs, replicas, ownLossAgeMs }
    }
    if (engine.clock.monotonic() >= budget.endsAtMs) {
      if (unknownSinceMs !== undefined) abandon(engine, intent, token)
      return { kind: 'away', error: new Error('the store refused every claim as late or ended'), refused: false }
    }
  }
}

function claimInput(intent: Intent, token: string): Parameters<Engine['store']['claim']>[1] {
  const { definition, fingerprint, memoText } = intent
  const { mode, leaseMs, retentionMs, settleMs } = definition
  return { token, fingerprint, mode, memoText, leaseMs, keepMs: retentionMs, settleMs }
}

/** Unawaited: if it fails as well, a claim that ran after all is at worst one lease of BUSY. */
function abandon(engine: Engine, intent: Intent, token: string): void {
  const { mode, retentionMs } = intent.definition
  const options = { deadlineMs: engine.options.storeTimeoutMs }
  engine.background.track(engine.store.abandon(intent.place, { token, mode, keepMs: retentionMs }, options))
}

export function formatError(intent: Subject): IdempotencyError {
  const what =
    'its record was written by another version of this package. Update this process before it runs the effect'
  return errorAbout(intent, 'ERR_IDEMPOTENCY_FORMAT', what)
}
