import { failpoint } from '@safety/redis-core'

import type { Engine } from './engine.ts'
import type { Intent } from './intent.ts'
import type { Attempt } from './recording.ts'
import type { Answer, RenewReply } from './store.ts'

export type Renewal =
  /** The lease counts from `sentAtMs` (monotonic). `recreated`: the store had lost the claim. */
  | { readonly kind: 'renewed'; readonly sentAtMs: number; readonly recreated: boolean }
  | { readonly kind: 'taken'; readonly state: string | undefined }
  /** The store is away; the next beat tries again, and the local deadline holds meanwhile. */
  | { readonly kind: 'away' }

const MIN_DEADLINE_MS = 10

/** One renewal of an own claim: one command, no repeat. */
export async function renewLease(engine: Engine, intent: Intent, attempt: Attempt): Promise<Renewal> {
  const stop = failpoint('idempotency:before-renew')
  if (stop) await stop
  const answer = await send(engine, intent, attempt)
  const after = failpoint('idempotency:after-renew')
  if (after) await after
  if (answer === undefined) return { kind: 'away' }
  const { reply, sentAtMs } = answer
  switch (reply.tag) {
    case 'OK':
      return { kind: 'renewed', sentAtMs, recreated: reply.how === 'recreated' }
    case 'LOST':
      return { kind: 'taken', state: reply.state }
    case 'FORMAT':
      break
  }
  return { kind: 'taken', state: undefined }
}

async function send(engine: Engine, intent: Intent, attempt: Attempt): Promise<Answer<RenewReply> | undefined> {
  const { definition, fingerprint, memoText, place } = intent
  const { leaseMs, retentionMs, settleMs } = definition
  const { token, fence, mode } = attempt
  const input = {
    token,
    fence,
    mode,
    attempt: attempt.attempt,
    fingerprint,
    memoText,
    leaseMs,
    settleMs,
    keepMs: retentionMs,
  }
  const deadlineMs = Math.min(engine.options.storeTimeoutMs, Math.max(leaseMs / 3, MIN_DEADLINE_MS))
  try {
    return await engine.store.renew(place, input, { deadlineMs })
  } catch {
    return undefined
  }
}
