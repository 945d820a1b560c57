import { failpoint } from '@safety/redis-core'

import { effectiveMode } from './doubt.ts'
import type { Doubt, Executed } from './doubt.ts'
import { settleEnd } from './ending.ts'
import { closedBefore, errorAbout, tell } from './engine.ts'
import type { Engine } from './engine.ts'
import type { Intent } from './intent.ts'
import { createLease, isOver, leaseDeadlineMs, leaseLostError, renewIfOld, startLease, stopLease } from './lease.ts'
import { openPayload } from './payload.ts'
import { record, storeErrorOf } from './recording.ts'
import type { Attempt, Recorded } from './recording.ts'
import { runEffect } from './running.ts'
import type { ClaimReply } from './store.ts'
import { runUnprotected } from './unprotected.ts'

type Own = Extract<ClaimReply, { tag: 'OWN' }>

/** What this process knows of its granted claim beside the reply. */
export interface Granted {
  readonly token: string
  /** Monotonic; the lease counts from here. */
  readonly leaseFromMs: number
  readonly replicas: number | undefined
  readonly ownLossAgeMs: number
}

/**
 * Uses a grant: looks whether it may run at all, runs the effect under the lease, records its end.
 *
 * @throws the effect's own error, `IdempotencyError`, or the caller's abort reason before dispatch
 */
export async function execute(
  engine: Engine,
  intent: Intent,
  reply: Own,
  granted: Granted,
  signal: AbortSignal | undefined,
): Promise<Executed> {
  const { token } = granted
  const attempt: Attempt = {
    token,
    fence: reply.fence,
    attempt: reply.attempt,
    mode: reply.mode ?? intent.definition.mode,
  }
  if (reply.how === 'takeover') tell(engine, intent, attempt, { type: 'lapsed' })
  // What is seldom needed is awaited only when it is: each await costs a call as much as a hash.
  const verifying = verifyAfterLoss(engine, intent, attempt, sinceLossMs(reply, granted))
  if (verifying) return { kind: 'doubt', doubt: await verifying }
  const refusing = requireDurable(engine, intent, attempt, granted.replicas)
  if (refusing) await refusing
  const lease = createLease(engine, intent, attempt, granted.leaseFromMs)
  try {
    const stop = failpoint('idempotency:before-effect')
    if (stop) await stop
    const renewing = renewIfOld(lease)
    if (renewing) await renewing
    // From here to `run` nothing is awaited.
    if (signal?.aborted) return await leftBefore(engine, intent, attempt, signal.reason)
    if (engine.closing.aborted && !engine.options.observe) {
      return await leftBefore(engine, intent, attempt, closedBefore(intent, 'not-run'))
    }
    if (isOver(lease)) return await lostBefore(engine, intent, attempt)
    const ran = await runEffect(engine, intent, attempt, {
      leaseDeadlineMs: () => leaseDeadlineMs(lease),
      onStart: (deadline, abort) => {
        tell(engine, intent, attempt, () => ({ type: 'started', deadlineMs: deadline() }))
        startLease(lease, () => abort(leaseLostError(intent, attempt, 'unknown')))
      },
    })
    const ended = failpoint('idempotency:after-effect')
    if (ended) await ended
    stopLease(lease)
    return await settleEnd(engine, intent, attempt, ran)
  } finally {
    stopLease(lease)
  }
}

/** Too few replicas hold the claim: a failover could forget it, so nothing is dispatched. */
function requireDurable(
  engine: Engine,
  intent: Intent,
  attempt: Attempt,
  replicas: number | undefined,
): Promise<never> | undefined {
  const { durability } = intent.definition
  if (durability === undefined || replicas === undefined || replicas >= durability.replicas) return undefined
  const observed = engine.options.observe
  tell(engine, intent, attempt, { type: 'not-durable', step: 'claim', replicas }, observed)
  if (observed) return undefined
  const what = `${replicas} of ${durability.replicas} replicas confirmed the claim within ${durability.timeoutMs} ms; nothing ran. Retry once the replicas are back`
  return refuse(engine, intent, attempt, what, replicas)
}

async function refuse(
  engine: Engine,
  intent: Intent,
  attempt: Attempt,
  what: string,
  replicas: number,
): Promise<never> {
  const recorded = await recordNotRun(engine, intent, attempt, 'not-durable')
  throw errorAbout(intent, 'ERR_IDEMPOTENCY_NOT_DURABLE', what, {
    fence: attempt.fence,
    attempt: attempt.attempt,
    replicas,
    ...storeErrorOf(recorded),
  })
}

/**
 * Since the bucket last lost writes, as its mark says or as this process saw it; -1 if neither knows of any that could have
 * hit this key: what was found not to have run after the loss was found so without the lost.
 */
function sinceLossMs({ lossAgeMs, how, closedAgeMs }: Own, { ownLossAgeMs }: Granted): number {
  const one = lossAgeMs < 0 || ownLossAgeMs < 0
  const ageMs = one ? Math.max(lossAgeMs, ownLossAgeMs) : Math.min(lossAgeMs, ownLossAgeMs)
  // Within a millisecond nobody knows which came first, and a lookup that is asked for nothing may leave its call in doubt.
  return how !== 'fresh' && ageMs + 1 >= closedAgeMs ? -1 : ageMs
}

/** The bucket lost writes a while ago: a key that looks free may have run before, so it is looked up, not run. */
function verifyAfterLoss(
  engine: Engine,
  intent: Intent,
  attempt: Attempt,
  lossAgeMs: number,
): Promise<Doubt> | undefined {
  const { onStoreLoss, lossWindowMs, observe } = engine.options
  const mode = effectiveMode(attempt.mode, intent)
  const recentLoss = lossAgeMs >= 0 && lossAgeMs < lossWindowMs
  if (onStoreLoss === 'run' || !recentLoss || mode === 'repeat') return undefined
  if (observe) {
    tell(engine, intent, attempt, { type: 'doubt', reason: 'store-loss' }, true)
    return undefined
  }
  const payload = openPayload(intent.memoText, 'store-loss')
  return record(engine, intent, attempt, { to: 'U', payload, settledMs: lossAgeMs }).then(() => ({
    ...attempt,
    mode,
    reason: 'store-loss',
  }))
}

/** The caller left, or the instance closes: nothing was sent, and the key is free again. */
async function leftBefore(engine: Engine, intent: Intent, attempt: Attempt, reason: unknown): Promise<never> {
  await recordNotRun(engine, intent, attempt, 'not-run')
  throw reason
}

/** The lease is over: nothing was sent, and the key is free again. */
async function lostBefore(engine: Engine, intent: Intent, attempt: Attempt): Promise<Executed> {
  const recorded = await recordNotRun(engine, intent, attempt, 'lease-lost')
  if (!engine.options.observe) throw leaseLostError(intent, attempt, 'not-run', storeErrorOf(recorded))
  tell(engine, intent, attempt, { type: 'lease-lost' }, true)
  return { kind: 'settled', settled: await runUnprotected(engine, intent) }
}

function recordNotRun(
  engine: Engine,
  intent: Intent,
  attempt: Attempt,
  reason: 'not-run' | 'lease-lost' | 'not-durable',
): Promise<Recorded> {
  return record(engine, intent, attempt, { to: 'N', payload: openPayload(intent.memoText, reason), settledMs: 0 })
}
