import { createHash } from 'node:crypto'
import type { OrderType } from '../exchange/filters.ts'

export type Side = 'BUY' | 'SELL'
export type Leg = 'entry' | 'exit' | 'flatten'

/** What names an intent: the same values give the same id in every process, for ever. */
export interface IntentName {
  readonly strategy: string
  readonly symbol: string
  /** Open time of the bar that caused it, epoch milliseconds. */
  readonly barOpenMs: number
  readonly leg: Leg
  readonly seq: number
}

/** A wish of the strategy, complete enough to be sent. */
export interface Intent extends IntentName {
  readonly id: string
  readonly side: Side
  readonly type: OrderType
  /** Base quantity, a decimal string on the symbol's lot grid. */
  readonly quantity: string
  /** Limit price, or the bar's close for a MARKET order. */
  readonly price: string
  /** Server time after which it is not sent any more, epoch milliseconds. */
  readonly validUntilMs: number
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** The first `length` characters of RFC 4648 base32 without padding. */
function base32(bytes: Uint8Array, length: number): string {
  let text = ''
  let bits = 0
  let value = 0
  for (const byte of bytes) {
    value = (value << 8) | byte
    bits += 8
    while (bits >= 5 && text.length < length) {
      bits -= 5
      text += alphabet[(value >>> bits) & 31]
    }
    value &= (1 << bits) - 1
  }
  return text
}

/** The idempotency key, the newClientOrderId and the name in every log line: 26 characters `[A-Z2-7]`, 130 bits. */
export function intentId(name: IntentName): string {
  const text = `v1|${name.strategy}|${name.symbol}|${name.barOpenMs}|${name.leg}|${name.seq}`
  return base32(createHash('sha256').update(text, 'utf8').digest(), 26)
}

const idPattern = /^[A-Z2-7]{26}$/

/** The intent id a client order id stands for (a cancel's is `<id>-c`), or `undefined` for a foreign one. */
export function intentIdOf(clientOrderId: string): string | undefined {
  const id = clientOrderId.endsWith('-c') ? clientOrderId.slice(0, -2) : clientOrderId
  return idPattern.test(id) ? id : undefined
}

/** The client order id of the cancel of an intent's order. */
export function cancelIdOf(id: string): string {
  return `${id}-c`
}

/** How an id is shown to people: its first and last characters. */
export function shortId(id: string): string {
  return id.length <= 10 ? id : `${id.slice(0, 4)}…${id.slice(-3)}`
}
