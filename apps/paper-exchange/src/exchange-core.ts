import type { OrderCount, ExchangeEngine } from './engine/exchange-engine.ts'
import type { ExchangeError } from './engine/result.ts'
import type { KeyRing } from './http/credentials.ts'
import type { RateGate } from './http/rate-gate.ts'
import type { Refusal } from './http/refusal.ts'

/** What every door of the exchange (REST, WebSocket API, streams, control) shares. */
export interface ExchangeCore {
  readonly engine: ExchangeEngine
  readonly keys: KeyRing
  readonly gate: RateGate
  readonly limitBy: 'key' | 'ip'
  readonly weightLimit: number
  readonly orders10s: number
  readonly engineTimeoutMs: number
  /**
   * Server milliseconds since the start up to which time is already decided: the end of a running `advance`, else now.
   * What a peer was sent before it cannot have been answered yet.
   */
  horizonMs(): number
}

/** A good answer of an endpoint. */
export interface Outcome {
  body: unknown
  /** Present for accepted orders. */
  orderId?: number
  orderCount?: OrderCount
}

/** An endpoint's work after all checks of syntax: filters, state, engine. */
export interface Prepared {
  run(): Outcome | Refusal
  /** Called instead of `run` when the second time test fails. */
  late?(refusal: Refusal): void
  /** What faults may match. */
  symbol?: string | undefined
  side?: string | undefined
}

/** Turns a refusal of the engine into an answer. */
export function refusalOf(error: ExchangeError, nowMs: number): Refusal {
  const { code, msg, status = 400, retryAfterMs } = error
  if (retryAfterMs === undefined) return { status, code, msg }
  const retryAfter = { seconds: Math.max(1, Math.ceil(retryAfterMs / 1000)), untilMs: nowMs + retryAfterMs }
  return { status, code, msg, retryAfter }
}
