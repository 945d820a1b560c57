import { claim, formatError } from './claiming.ts'
import type { Claimed } from './claiming.ts'
import { doubtError, effectiveMode } from './doubt.ts'
import type { Doubt } from './doubt.ts'
import { closedBefore, effectIdOf, errorAbout, NO_ATTEMPT, tell } from './engine.ts'
import type { Engine } from './engine.ts'
import type { IdempotencyError } from './errors.ts'
import { execute } from './executing.ts'
import type { Intent } from './intent.ts'
import { replay } from './outcome.ts'
import type { Settled } from './outcome.ts'
import { doubtReasonOf, parsePayload } from './payload.ts'
import { settleDoubt } from './settling.ts'
import { runUnprotected } from './unprotected.ts'
import { poll } from './waiting.ts'
import type { Waiting } from './waiting.ts'

/** After one "not run" verdict a call claims once more, and no further. */
const MAX_VERDICTS = 1
/** Claims after someone else moved the record between two of our commands. */
const MAX_MOVES = 20

export interface CallControl {
  /** Ends waiting and store repeats; whoever passes it sees the end of a dispatched effect nonetheless recorded. */
  readonly signal: AbortSignal | undefined
  readonly waiting: Waiting
}

/**
 * One call, from its claim to its value: claims, executes, replays, waits, or settles a doubt, until one of them ends it.
 *
 * @throws the effect's own error, `IdempotencyError`, or the caller's abort reason
 */
export async function call(engine: Engine, intent: Intent, { signal, waiting }: CallControl): Promise<Settled> {
  let verdicts = 0
  let moves = 0
  let metOpen = false
  for (;;) {
    if (engine.closing.aborted) throw closedBefore(intent, metOpen || waiting.spentMs > 0 ? 'unknown' : 'not-run')
    const claiming = claim(engine, intent, signal)
    // Every answer needs it, the claim does not: it is computed while the claim is on its way.
    effectIdOf(intent)
    const claimed = await claiming
    const next = await answer(engine, intent, metOpen ? sinceMet(claimed) : claimed, waiting, signal)
    if (next.kind === 'settled') return next.settled
    metOpen = true
    if (next.kind === 'again') continue
    if (verdicts >= MAX_VERDICTS || moves >= MAX_MOVES) throw doubtError(engine, intent, next.doubt)
    const settled = await settleDoubt(engine, intent, next.doubt, waiting, signal)
    if (settled.kind === 'settled') return settled.settled
    if (settled.verdict) verdicts += 1
    else moves += 1
  }
}

/** An open record never expires: if the attempt this call met busy or in doubt is not counted, the store has lost it. */
function sinceMet(claimed: Claimed): Claimed {
  const lost = claimed.kind === 'answered' && claimed.reply.tag === 'OWN' && claimed.reply.attempt === 1
  return lost ? { ...claimed, ownLossAgeMs: 0 } : claimed
}

type Next =
  | { readonly kind: 'settled'; readonly settled: Settled }
  | { readonly kind: 'again' }
  | { readonly kind: 'doubt'; readonly doubt: Doubt }

function answer(
  engine: Engine,
  intent: Intent,
  claimed: Claimed,
  waiting: Waiting,
  signal: AbortSignal | undefined,
): Next | Promise<Next> {
  const { observe } = engine.options
  switch (claimed.kind) {
    case 'aborted':
      throw signal?.reason
    case 'away':
      return storeAway(engine, intent, claimed).then(settled)
    case 'format':
      if (!observe) throw formatError(intent)
      return observed(engine, intent, { type: 'store-down', step: 'claim', refused: true }).then(settled)
    case 'answered':
      break
  }
  const { reply } = claimed
  switch (reply.tag) {
    case 'OWN':
      return execute(engine, intent, reply, claimed, signal)
    case 'D':
    case 'F':
      if (observe) return observed(engine, intent, { type: 'replayed', source: reply.by }).then(settled)
      return replay(engine, intent, reply).then(settled)
    case 'BUSY':
      return busy(engine, intent, reply.leaseLeftMs, waiting, signal)
    case 'MISMATCH':
      return mismatch(engine, intent, reply.state).then(settled)
    case 'U':
      break
  }
  const reason = doubtReasonOf(parsePayload(reply.payload).reason)
  if (observe) return observed(engine, intent, { type: 'doubt', reason }).then(settled)
  const mode = effectiveMode(reply.mode, intent)
  return { kind: 'doubt', doubt: { mode, reason, token: '', fence: reply.fence, attempt: reply.attempt } }
}

function settled(value: Settled): Next {
  return { kind: 'settled', settled: value }
}

/** Observe mode: says what enforcement would have done, then runs. */
async function observed(engine: Engine, intent: Intent, fact: Parameters<typeof tell>[3]): Promise<Settled> {
  tell(engine, intent, NO_ATTEMPT, fact, true)
  return await runUnprotected(engine, intent)
}

async function busy(
  engine: Engine,
  intent: Intent,
  retryAfterMs: number,
  waiting: Waiting,
  signal: AbortSignal | undefined,
): Promise<Next> {
  if (engine.options.observe) return settled(await observed(engine, intent, { type: 'busy', retryAfterMs }))
  if (intent.definition.onBusy === 'wait' && (await poll(waiting, signal))) return { kind: 'again' }
  throw busyError(engine, intent, retryAfterMs)
}

/** Another attempt holds the key. */
export function busyError(engine: Engine, intent: Intent, retryAfterMs: number): IdempotencyError {
  tell(engine, intent, NO_ATTEMPT, { type: 'busy', retryAfterMs })
  const what = 'another attempt is running. Retry later: the same call will replay its outcome'
  return errorAbout(intent, 'ERR_IDEMPOTENCY_BUSY', what, { retryAfterMs })
}

/** The key was used with another payload. */
export async function mismatch(engine: Engine, intent: Intent, state: string): Promise<Settled> {
  if (engine.options.observe) return await observed(engine, intent, { type: 'mismatch', state })
  tell(engine, intent, NO_ATTEMPT, { type: 'mismatch', state })
  const what = `its key was used with another payload (state: ${state}). A new intent needs a new key`
  throw errorAbout(intent, 'ERR_IDEMPOTENCY_MISMATCH', what, { state })
}

async function storeAway(engine: Engine, intent: Intent, away: Extract<Claimed, { kind: 'away' }>): Promise<Settled> {
  const { error, refused } = away
  const { observe } = engine.options
  tell(engine, intent, NO_ATTEMPT, { type: 'store-down', step: 'claim', refused }, observe)
  const mayRun = intent.definition.onStoreDown === 'run' && !refused && !engine.closing.aborted
  if (observe || mayRun) return await runUnprotected(engine, intent)
  const what = refused
    ? 'the store refuses the claim; nothing ran. A retry will not help: see the cause (rights, key type)'
    : 'the store did not answer the claim; nothing ran. Retry once it is back'
  throw errorAbout(intent, 'ERR_IDEMPOTENCY_STORE', what, { retryable: !refused, cause: error })
}
