import type { Clock } from '@safety/redis-core'
import type { TraderConfig } from '../config.ts'
import type { Answer, ExchangeApi } from '../exchange/api.ts'
import type { ClockSync } from '../exchange/clock-sync.ts'
import { verdictOn, type Outcome } from '../exchange/outcome.ts'
import type { OrderAnswer } from '../exchange/wire.ts'
import { killPoint } from '../failpoints.ts'
import { detailOf, reasonOf, type Report } from '../report.ts'
import type { Counted, Guard } from '../safety.ts'
import type { Adopter } from './adopt.ts'
import { InDoubtError, NotPlacedError } from './errors.ts'
import type { Intent } from './intent.ts'
import type { Journal } from './journal.ts'
import type { Report as JournalReport } from './journal-reports.ts'
import type { Placement } from './placement.ts'
import { placementIn, type IntentState } from './state.ts'

/** The right under which one attempt is made. */
export interface Grant {
  /** 0 when nothing was claimed. */
  readonly fence: number
  readonly attempt: number
  /** Aborts when the right is lost. */
  readonly signal: AbortSignal
}

export interface ExecutorOptions {
  readonly journal: Journal
  readonly api: ExchangeApi
  readonly adopter: Adopter
  /** Stands in front of dispatch, so that an exchange that does not answer is asked for nothing. */
  readonly orders: Guard
  readonly clockSync: ClockSync
  readonly clock: Clock
  readonly config: Pick<TraderConfig, 'permitMs' | 'recvWindowMs' | 'onUnknown' | 'mutant'>
  readonly worker: string
  readonly report: Report
  /** The operation the attempt belongs to, for the log. */
  readonly operationOf: (id: string) => string
  /** Something could not be written down; a reconciliation will find it. */
  readonly onUnwritten: () => void
}

/** Makes one attempt at an intent: reserve, dispatch, sign, send, and read what the answer means. */
export interface Executor {
  /**
   * @throws NotPlacedError when it did not run and may be tried again.
   * @throws InDoubtError when nobody knows.
   */
  run(intent: Intent, grant: Grant): Promise<Placement>
}

type Permit = { readonly go: true; readonly signedAtMs: number } | { readonly go: false; readonly placement: Placement }

/** Pause before an intent that could not be sent is tried again. */
const unsentPauseMs = 300

function refused(reason: string): Placement {
  return { outcome: 'refused', state: 'REJECTED', reason }
}

/** Refusals that say the request itself was wrong: the third identical one stops the symbol. */
function isOurs(outcome: Outcome): boolean {
  return /^-(1013|11\d\d)$/.test(outcome.reason)
}

function moved(
  options: ExecutorOptions,
  intent: Intent,
  from: string | null,
  to: string,
  more: { reason?: string; by: string; afterMs?: number },
): void {
  options.report({ type: 'transition', key: intent.id, symbol: intent.symbol, side: intent.side, from, to, ...more })
}

/** Moves the intent and says so; without Redis the exchange's word still stands and is written down later. */
async function note(
  options: ExecutorOptions,
  intent: Intent,
  said: Omit<JournalReport, 'id' | 'symbol' | 'by'>,
  more: { afterMs?: number; ours?: boolean } = {},
): Promise<void> {
  const { afterMs, ours = false } = more
  const age = afterMs === undefined ? {} : { afterMs: Math.round(afterMs) }
  const reason = said.reason === undefined ? {} : { reason: said.reason }
  try {
    const settled = await options.journal.settle(
      { ...said, id: intent.id, symbol: intent.symbol, by: 'answer' },
      { ours },
    )
    if (settled.changed) moved(options, intent, settled.from, settled.state, { by: 'answer', ...reason, ...age })
    if (settled.stopped) {
      const detail = `three refusals in a row with ${said.reason}; no orders for ten minutes`
      options.report({ type: 'alert', alert: 'SymbolStopped', symbol: intent.symbol, detail })
    }
  } catch (error) {
    options.onUnwritten()
    options.report({ type: 'error', reason: reasonOf(error), detail: detailOf(error) })
  }
}

async function reserve(options: ExecutorOptions, intent: Intent, grant: Grant): Promise<Placement | undefined> {
  const { fence } = grant
  const said = {
    id: intent.id,
    symbol: intent.symbol,
    to: 'RESERVED',
    by: options.worker,
    fence,
    atMs: options.clockSync.now(),
  } as const
  const settled = await options.journal.settle(said).catch((error: unknown) => {
    throw new NotPlacedError(reasonOf(error), unsentPauseMs)
  })
  if (settled.changed) {
    moved(options, intent, settled.from, 'RESERVED', { by: options.worker })
    return undefined
  }
  const known = placementIn(settled.state as IntentState, settled.reason, settled.orderId)
  // An earlier attempt left a trace and no proof: the claim was free, the journal is not.
  if (known === undefined) throw new InDoubtError(`journal ${settled.state}`)
  return known
}

/** Dispatch refused because the intent is closed or somebody else's. Nothing was sent; an order seen meanwhile is the end. */
async function decided(options: ExecutorOptions, intent: Intent): Promise<Placement> {
  const entry = await options.journal.read(intent.id).catch((error: unknown) => {
    throw new NotPlacedError(reasonOf(error), unsentPauseMs)
  })
  const known = entry === undefined ? undefined : placementIn(entry.state, entry.reason, entry.orderId)
  if (known === undefined) throw new NotPlacedError('fenced', unsentPauseMs)
  return known
}

async function ask(options: ExecutorOptions, intent: Intent, grant: Grant): Promise<Permit> {
  const { fence, attempt } = grant
  for (;;) {
    const askedMs = options.clock.monotonic()
    const signedAtMs = options.clockSync.now()
    const lock = options.config.onUnknown === 'lock'
    const { recvWindowMs } = options.config
    const asked = { intent, fence, attempt, signedAtMs, recvWindowMs, lock, worker: options.worker }
    const answer = await options.journal.dispatch(asked).catch((error: unknown) => {
      // Whatever dispatch wrote, nothing is sent under it.
      throw new NotPlacedError(reasonOf(error), unsentPauseMs)
    })
    switch (answer.answer) {
      case 'denied': {
        const { state, reason } = answer
        moved(options, intent, 'RESERVED', state, { reason, by: 'dispatch' })
        return { go: false, placement: { outcome: 'refused', state, reason } }
      }
      case 'wait':
        await note(options, intent, { to: 'ABSENT', reason: 'gate', fence })
        throw new NotPlacedError('gate', answer.waitMs)
      case 'fenced':
        return { go: false, placement: await decided(options, intent) }
      case 'go':
        break
      default:
        answer satisfies never
    }
    if (grant.signal.aborted) {
      await note(options, intent, { to: 'ABSENT', reason: 'lease', fence })
      throw new NotPlacedError('lease', unsentPauseMs)
    }
    if (options.clock.monotonic() - askedMs <= options.config.permitMs) return { go: true, signedAtMs }
  }
}

async function accept(
  options: ExecutorOptions,
  intent: Intent,
  answer: OrderAnswer,
  afterMs: number,
): Promise<Placement> {
  const { id, symbol, side, quantity, price, type } = intent
  const { orderId, status, executedQuantity } = answer
  try {
    await options.adopter.order(
      { id, symbol, side, quantity, price, type, orderId, status, executedQuantity },
      'answer',
      afterMs,
    )
    for (const fill of answer.fills) await options.adopter.fill(fill, id)
  } catch (error) {
    options.onUnwritten()
    options.report({ type: 'error', reason: reasonOf(error), detail: detailOf(error) })
  }
  return { outcome: 'ordered', orderId }
}

async function adoptOpen(options: ExecutorOptions, intent: Intent): Promise<Placement> {
  const found = await options.api.order(intent.symbol, intent.id)
  if (!found.ok) {
    await note(options, intent, { to: 'UNKNOWN', reason: found.outcome.reason })
    throw new InDoubtError(found.outcome.reason)
  }
  await options.adopter.order({ ...found.value, id: intent.id }, 'duplicate')
  return { outcome: 'ordered', orderId: found.value.orderId }
}

async function unsure(
  options: ExecutorOptions,
  intent: Intent,
  fence: number,
  outcome: Outcome,
  afterMs: number,
): Promise<never> {
  if (options.config.mutant === 'retry-unknown') {
    await note(options, intent, { to: 'ABSENT', reason: outcome.reason, fence }, { afterMs })
    throw new NotPlacedError(outcome.reason, unsentPauseMs)
  }
  await note(options, intent, { to: 'UNKNOWN', reason: outcome.reason, fence }, { afterMs })
  throw new InDoubtError(outcome.reason)
}

async function notRun(
  options: ExecutorOptions,
  intent: Intent,
  fence: number,
  outcome: Outcome,
  afterMs: number,
): Promise<never> {
  await note(options, intent, { to: 'ABSENT', reason: outcome.reason, fence }, { afterMs })
  throw new NotPlacedError(outcome.reason, outcome.retryAfterMs ?? unsentPauseMs)
}

async function reject(
  options: ExecutorOptions,
  intent: Intent,
  outcome: Outcome,
  detail: string | undefined,
  afterMs: number,
): Promise<Placement> {
  const more = { afterMs, ours: isOurs(outcome) }
  await note(options, intent, { to: 'REJECTED', reason: outcome.reason, detail: (detail ?? '').slice(0, 120) }, more)
  return refused(outcome.reason)
}

async function misconfigured(
  options: ExecutorOptions,
  intent: Intent,
  outcome: Outcome,
  afterMs: number,
): Promise<Placement> {
  const detail = `the exchange answers ${outcome.reason}; entries are halted`
  options.report({ type: 'alert', alert: 'Configuration', detail })
  await options.journal.halt('configuration', detail).catch((error: unknown) => {
    options.report({ type: 'error', reason: reasonOf(error), detail: detailOf(error) })
  })
  return reject(options, intent, outcome, undefined, afterMs)
}

/** What an answer means; `undefined` asks for one more try after the clock was synchronised. */
async function understand(
  options: ExecutorOptions,
  intent: Intent,
  grant: Grant,
  answer: Answer<OrderAnswer>,
  resynced: boolean,
): Promise<Placement | undefined> {
  const { outcome, elapsedMs } = answer
  if (answer.ok) return accept(options, intent, answer.value, elapsedMs)
  switch (outcome.class) {
    case 'REJECTED':
      return reject(options, intent, outcome, answer.message, elapsedMs)
    case 'CONFIGURATION':
      return misconfigured(options, intent, outcome, elapsedMs)
    case 'ALREADY_OPEN':
      return adoptOpen(options, intent)
    case 'NOT_SENT':
    case 'REFUSED':
    case 'BANNED':
      return notRun(options, intent, grant.fence, outcome, elapsedMs)
    case 'CLOCK':
      if (resynced) return reject(options, intent, outcome, answer.message, elapsedMs)
      await options.clockSync.sync()
      return undefined
    case 'OK':
    case 'UNKNOWN':
    case 'CANCEL_UNKNOWN':
    case 'NOT_FOUND':
      return unsure(options, intent, grant.fence, outcome, elapsedMs)
    default:
      return outcome.class satisfies never
  }
}

type Tried =
  | { readonly sent: false; readonly placement: Placement }
  | { readonly sent: true; readonly answer: Answer<OrderAnswer> }

/** Dispatch, sign, send. */
async function tryOnce(options: ExecutorOptions, intent: Intent, grant: Grant): Promise<Counted<Tried>> {
  const permit = await ask(options, intent, grant)
  if (!permit.go) return { counts: 'ignored', value: { sent: false, placement: permit.placement } }
  const { signedAtMs } = permit
  moved(options, intent, 'RESERVED', 'SENT', { by: options.worker })
  options.report({
    type: 'request',
    op: options.operationOf(intent.id),
    key: intent.id,
    attempt: grant.attempt,
    signedAtMs,
  })
  await killPoint('trader:after-dispatch')
  const answer = await options.api.place(intent, signedAtMs)
  await killPoint('trader:after-answer')
  return { counts: verdictOn(answer.outcome), value: { sent: true, answer } }
}

async function tryGuarded(options: ExecutorOptions, intent: Intent, grant: Grant): Promise<Tried> {
  const work = (): Promise<Counted<Tried>> => tryOnce(options, intent, grant)
  const leftMs = intent.validUntilMs - options.clockSync.now()
  // Past its time only dispatch can end it, by denying it; an open breaker must not keep it waiting for that.
  if (leftMs < 0) return (await work()).value
  const passed = await options.orders(work)
  if (!passed.open) return passed.value
  await note(options, intent, { to: 'ABSENT', reason: 'breaker-open', fence: grant.fence })
  throw new NotPlacedError('breaker-open', Math.min(passed.retryAfterMs, leftMs + 1))
}

async function send(options: ExecutorOptions, intent: Intent, grant: Grant): Promise<Placement> {
  for (let resynced = false; ; resynced = true) {
    const tried = await tryGuarded(options, intent, grant)
    if (!tried.sent) return tried.placement
    const placement = await understand(options, intent, grant, tried.answer, resynced)
    if (placement !== undefined) return placement
  }
}

export function createExecutor(options: ExecutorOptions): Executor {
  return {
    async run(intent, grant) {
      await killPoint('trader:before-reserve')
      const known = await reserve(options, intent, grant)
      if (known !== undefined) return known
      await killPoint('trader:after-reserve')
      const placement = await send(options, intent, grant)
      await killPoint('trader:before-record')
      return placement
    },
  }
}
