import type { FaultAction } from '../faults/fault-schema.ts'
import { engineTimedOut } from './refusal.ts'
import type { Refusal } from './refusal.ts'

/** A body that promises JSON and is none. */
export const GARBAGE = 'upstream said: <no valid json here>'

const UNKNOWN_ERROR = 'An unknown error occurred while processing the request.'
const TYPES = ['hang', 'reset', 'close', 'status', 'truncate', 'garbage'] as const

/** Actions that replace or break an answer, wherever the request stands. */
export type AnswerAction = Extract<FaultAction, { type: (typeof TYPES)[number] }>

/** True for an action that replaces or breaks the answer. */
export function breaksAnswer(action: FaultAction): action is AnswerAction {
  return (TYPES as readonly string[]).includes(action.type)
}

/** The answer of a `status` fault. Without a code a 503 says -1007, anything else -1000. */
export function faultRefusal(action: Extract<FaultAction, { type: 'status' }>, nowMs: number): Refusal {
  const { status, html, retryAfterS } = action
  const code = action.code ?? (status === 503 ? engineTimedOut.code : -1000)
  const msg = action.msg ?? (code === engineTimedOut.code ? engineTimedOut.msg : UNKNOWN_ERROR)
  const refusal: Refusal = { status, code, msg }
  if (html !== undefined) refusal.html = html
  if (retryAfterS !== undefined) refusal.retryAfter = { seconds: retryAfterS, untilMs: nowMs + retryAfterS * 1000 }
  return refusal
}
