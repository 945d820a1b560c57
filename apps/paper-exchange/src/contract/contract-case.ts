import type { Shape } from './shape.ts'

/** What differs between venues and runs. */
export interface Terms {
  symbol: string
  /** A buy price far below the market. */
  farPrice: string
  /** Far above: a buy there takes at once. */
  highPrice: string
  quantity: string
  /** Too much for any test account. */
  hugeQuantity: string
  /** Begins every client order id of this run. */
  prefix: string
  nowMs: number
}

export type CallParameters = Record<string, string | number>

/** One call and what must come of it. */
export interface ContractCase {
  name: string
  method: string
  /** Path of a REST call, or nothing for the WebSocket API. */
  path?: string
  /** What is sent; `orderId` `$order` stands for the id of the order placed before. */
  parameters?: ((terms: Terms) => CallParameters) | undefined
  signed?: true
  /** Sent as it is behind the parameters, and signed with them. */
  suffix?: string
  /** Replaces what would be sent. */
  apiKey?: 'none' | 'short' | 'unknown'
  signature?: 'wrong'
  status: number
  code?: number
  msg?: string
  body?: Shape
  headers?: readonly string[]
}
