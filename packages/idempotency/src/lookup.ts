import { failpoint } from '@safety/redis-core'

import type { Definition } from './definition.ts'
import type { LookupAnswer, LookupContext } from './effect.ts'
import { grantOf } from './engine.ts'
import type { Engine, Subject } from './engine.ts'
import { failureOf } from './errors.ts'
import type { Failure } from './errors.ts'
import type { JsonValue } from './json.ts'
import type { Body } from './payload.ts'
import { encodeResult } from './result.ts'
import type { Encoded } from './result.ts'

/** What a lookup found, ready to be recorded. */
export type Found =
  | { readonly kind: 'ran'; readonly body: Body; readonly encoded: Encoded; readonly value: unknown }
  | { readonly kind: 'failed'; readonly failure: Failure }
  | { readonly kind: 'not-run' }
  | { readonly kind: 'unknown'; readonly retryAfterMs: number | undefined }

const UNKNOWN: Found = { kind: 'unknown', retryAfterMs: undefined }

/** The longest a lookup can put the next one off: as long as the longest settle time. */
export const MAX_RETRY_AFTER_MS = 86_400_000

/** Asks the receiver once. A throw, a timeout and an answer beside the four count as unknown. */
export async function lookUp(
  engine: Engine,
  subject: Subject,
  definition: Definition & { readonly lookup: NonNullable<Definition['lookup']> },
  doubt: { readonly fence: number; readonly attempt: number; readonly memo: JsonValue | undefined },
  signal: AbortSignal | undefined,
): Promise<Found> {
  const controller = new AbortController()
  const ctx: LookupContext = { ...grantOf(subject, doubt), memo: doubt.memo, signal: controller.signal }
  const stop = failpoint('idempotency:before-lookup')
  if (stop) await stop
  const answer = await withTimeout(engine, definition.lookupTimeoutMs, { controller, signal }, () =>
    definition.lookup(ctx),
  )
  const after = failpoint('idempotency:after-lookup')
  if (after) await after
  try {
    return await toFound(definition, answer)
  } catch {
    // An answer that cannot even be read says as little as none.
    return UNKNOWN
  }
}

async function toFound(definition: Definition, answer: LookupAnswer<unknown> | null | undefined): Promise<Found> {
  // Untyped code answers anything.
  if (typeof answer !== 'object' || answer === null) return UNKNOWN
  switch (answer.outcome) {
    case 'ran': {
      const { value } = answer
      const encoded = await encodeResult(definition, value)
      return { kind: 'ran', body: encoded.body, encoded, value }
    }
    case 'failed':
      return { kind: 'failed', failure: failureOf(answer.error) }
    case 'not-run':
      return { kind: 'not-run' }
    case 'unknown':
      return { kind: 'unknown', retryAfterMs: delayOf(answer.retryAfterMs) }
    default:
      // An answer the types do not allow, from untyped code.
      return UNKNOWN
  }
}

function delayOf(delayMs: number | undefined): number | undefined {
  if (delayMs === undefined || !Number.isFinite(delayMs)) return undefined
  return Math.min(MAX_RETRY_AFTER_MS, Math.max(0, Math.ceil(delayMs)))
}

/** @returns undefined when the lookup threw, did not answer in time, or nobody wants its answer any more */
function withTimeout(
  engine: Engine,
  timeoutMs: number,
  { controller, signal }: { readonly controller: AbortController; readonly signal: AbortSignal | undefined },
  lookup: () => Promise<LookupAnswer<unknown>>,
): Promise<LookupAnswer<unknown> | undefined> {
  const { clock, closed } = engine
  return new Promise(resolve => {
    const timer = clock.setTimeout(() => {
      giveUp(new DOMException(`the lookup took longer than ${timeoutMs} ms`, 'TimeoutError'))
    }, timeoutMs)
    const onAbort = (): void => giveUp(signal?.reason)
    const onClosed = (): void => giveUp(closed.reason)
    function end(answer: LookupAnswer<unknown> | undefined): void {
      timer.cancel()
      signal?.removeEventListener('abort', onAbort)
      closed.removeEventListener('abort', onClosed)
      resolve(answer)
    }
    function giveUp(reason: unknown): void {
      end(undefined)
      controller.abort(reason)
    }
    if (signal?.aborted) return onAbort()
    if (closed.aborted) return onClosed()
    signal?.addEventListener('abort', onAbort, { once: true })
    closed.addEventListener('abort', onClosed, { once: true })
    start(lookup).then(end, () => end(undefined))
  })
}

async function start<R>(lookup: () => Promise<R>): Promise<R> {
  return await lookup()
}
