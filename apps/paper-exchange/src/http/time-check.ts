import { badRecvWindow, tooEarly, tooLate } from './refusal.ts'
import type { Refusal } from './refusal.ts'

const DEFAULT_RECV_WINDOW_MS = 5000
const MAX_RECV_WINDOW_MS = 60_000
const AHEAD_MS = 1000
/** Above this a timestamp counts microseconds: as milliseconds it would lie beyond the year 5138. */
const MICROSECONDS_FROM = 1e14

/** When a request was signed and how long it may be admitted, in milliseconds with up to three decimals. */
export interface SignedTime {
  signedAtMs: number
  recvWindowMs: number
}

/** Reads `timestamp` (milliseconds or microseconds) and `recvWindow` (up to three decimals). */
export function readSignedTime(timestamp: string, recvWindow: string | undefined): SignedTime | Refusal {
  const raw = Number(timestamp)
  const recvWindowMs = recvWindow === undefined ? DEFAULT_RECV_WINDOW_MS : Number(recvWindow)
  if (recvWindowMs > MAX_RECV_WINDOW_MS) return badRecvWindow
  return { signedAtMs: raw >= MICROSECONDS_FROM ? raw / 1000 : raw, recvWindowMs }
}

/** Both halves of the test: not 1000 ms or more ahead, and not older than the window. */
export function checkTime(time: SignedTime, serverMs: number): Refusal | undefined {
  if (time.signedAtMs >= serverMs + AHEAD_MS) return tooEarly
  return checkAge(time, serverMs)
}

/** The second half alone, tested again just before the engine. */
export function checkAge(time: SignedTime, serverMs: number): Refusal | undefined {
  return serverMs - time.signedAtMs > time.recvWindowMs ? tooLate : undefined
}
