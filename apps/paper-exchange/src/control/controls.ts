import type { AuditClaims } from '../audit/claims.ts'
import type { AuditReport } from '../audit/report.ts'
import type { AccountState } from '../engine/exchange-engine.ts'
import type { Result } from '../engine/result.ts'
import type { SymbolStatus } from '../engine/symbol.ts'
import type { ExchangeCore } from '../exchange-core.ts'
import type { Fault } from '../faults/fault-schema.ts'
import { sourceOf } from '../http/admission.ts'
import type { Credentials } from '../http/credentials.ts'
import type { TruthPage, TruthQuery } from '../truth/entry.ts'
import type { StreamFaults } from '../ws/stream-faults.ts'

/** A control's answer: a value, or what is wrong with the order. */
export type Told<T> = { ok: true; value: T } | { ok: false; msg: string }

/** What the clock shows. */
export interface ClockReading {
  mode: 'real' | 'manual'
  nowMs: number
  skewMs: number
}

/** A change of the clock; the mode comes first, the advance last. */
export interface ClockChange {
  mode?: 'real' | 'manual' | undefined
  advanceMs?: number | undefined
  skewMs?: number | undefined
}

/** One change of the market. Without a symbol it is a change of all. */
export interface MarketChange {
  symbol?: string | undefined
  status?: SymbolStatus | undefined
  price?: string | undefined
  pause?: boolean | undefined
  bars?: number | undefined
}

/** One account as the exchange sees it. */
export interface ControlState extends AccountState {
  usedWeight: number
  gateUntilMs: number
}

/** Everything the exchange can be told from outside the dialect; the control plane and the library share it. */
export interface PaperControls {
  inject(faults: unknown): Told<string[]>
  faults(): (Fault & { readonly fired: number })[]
  /** Removes one fault or all; tells how many. */
  removeFaults(id: string | undefined): { removed: number }
  clock(): ClockReading
  setClock(change: ClockChange): Told<ClockReading>
  setMarket(change: MarketChange): Told<{ symbols: readonly string[] }>
  addAccount(account: { name: string; balances?: Readonly<Record<string, string>> | undefined }): Told<Credentials>
  wipe(account: string): Told<{ account: string }>
  state(account: string): Told<ControlState>
  truth(query?: TruthQuery): TruthPage
  /** Judges an account that exists. */
  audit(claims: AuditClaims): Told<AuditReport>
}

interface ControlOptions {
  core: ExchangeCore
  streamFaults: StreamFaults
  balances: Readonly<Record<string, string>>
  advance(ms: number): void
  setMode(mode: 'real' | 'manual'): void
}

/** Creates the controls. `advance` runs a manual clock; `setMode` changes what drives it. */
export function createControls(options: ControlOptions): PaperControls {
  const { core, streamFaults, balances } = options
  const { engine, keys } = core
  const { timeline } = engine

  /** Lets what an action has caused happen before it is answered. */
  const settled = <T>(result: Result<T>): Told<T> => {
    timeline.runDue()
    return result.ok ? result : { ok: false, msg: result.error.msg }
  }

  return {
    inject: faults => {
      const added = engine.faults.add(faults)
      if (!added.ok) return added
      streamFaults.arm(added.ids)
      timeline.runDue()
      return { ok: true, value: added.ids }
    },
    faults: () => engine.faults.list(),
    removeFaults: id => {
      if (id !== undefined) return { removed: engine.faults.remove(id) ? 1 : 0 }
      const removed = engine.faults.list().length
      engine.faults.clear()
      return { removed }
    },
    clock: () => readClock(core),
    setClock: change => setClock(options, change),
    setMarket: ({ symbol, status, price, pause, bars }) => {
      if (status !== undefined) return settled(engine.setStatus(symbol, status))
      if (price !== undefined) return settled(engine.setPrice(symbol ?? '', price))
      if (pause !== undefined) return settled(engine.setPaused(symbol, pause))
      return settled(engine.closeBars(symbol, bars ?? 1))
    },
    addAccount: account => {
      const added = engine.addAccount({ name: account.name, balances: account.balances ?? balances })
      return added.ok ? { ok: true, value: keys.issue(account.name) } : { ok: false, msg: added.error.msg }
    },
    wipe: account => settled(engine.wipe(account)),
    state: account => readState(core, account),
    truth: query => {
      timeline.runDue()
      return engine.truth.query(query)
    },
    audit: claims => {
      if (!engine.accounts().includes(claims.account)) return nobody(claims.account)
      return { ok: true, value: engine.audit(claims) }
    },
  }
}

function nobody(account: string): { ok: false; msg: string } {
  return { ok: false, msg: `account: there is no account "${account}"` }
}

function readClock({ engine: { timeline } }: ExchangeCore): ClockReading {
  return { mode: timeline.mode, nowMs: timeline.nowMs(), skewMs: timeline.skewMs }
}

function setClock(options: ControlOptions, { mode, advanceMs, skewMs }: ClockChange): Told<ClockReading> {
  const { engine } = options.core
  const { timeline } = engine
  if (advanceMs !== undefined && (mode ?? timeline.mode) !== 'manual') {
    return { ok: false, msg: 'advanceMs: the clock is not manual' }
  }
  if (mode !== undefined && mode !== timeline.mode) options.setMode(mode)
  if (skewMs !== undefined) timeline.setSkew(skewMs)
  engine.append({
    type: 'clock',
    account: null,
    mode: timeline.mode,
    advanceMs: advanceMs ?? 0,
    skewMs: timeline.skewMs,
  })
  if (advanceMs !== undefined) options.advance(advanceMs)
  return { ok: true, value: readClock(options.core) }
}

function readState(core: ExchangeCore, account: string): Told<ControlState> {
  const { engine, gate, keys } = core
  engine.timeline.runDue()
  const state = engine.state(account)
  const apiKey = keys.of(account)?.apiKey
  if (!state.ok || apiKey === undefined) return nobody(account)
  const source = sourceOf(core, { ip: '127.0.0.1', apiKey })
  const nowMs = engine.timeline.nowMs()
  const limits = { usedWeight: gate.usedWeight(source, nowMs), gateUntilMs: gate.gateUntilMs(source, nowMs) }
  return { ok: true, value: { ...state.value, ...limits } }
}
