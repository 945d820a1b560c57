import { errorAbout } from './engine.ts'
import type { Engine, Subject } from './engine.ts'
import { IdempotencyError } from './errors.ts'
import type { RecordView } from './record.ts'
import { step, storeBudget } from './step.ts'
import type { Answer, SendOptions } from './store.ts'
import { toView } from './view.ts'

/** A read, repeated inside the store budget. */
export async function ask<R>(
  engine: Engine,
  signal: AbortSignal | undefined,
  send: (options: SendOptions) => Promise<R>,
  subject?: Subject,
): Promise<R> {
  signal?.throwIfAborted()
  const asked = await step<R>(engine, storeBudget(engine, signal), async options => answer(await send(options)))
  if (asked.ok) return asked.answer.reply
  signal?.throwIfAborted()
  if (subject !== undefined) throw storeError(subject, { ...asked, mayHaveRun: false })
  const what = asked.refused
    ? 'the store refuses a read. A retry will not help: see the cause'
    : 'the store did not answer a read. The same call may be repeated once it is back'
  throw new IdempotencyError('ERR_IDEMPOTENCY_STORE', what, { retryable: !asked.refused, cause: asked.error })
}

/** A read shows no time of its own. */
function answer<R>(reply: R): Answer<R> {
  return { reply, sentAtMs: 0, receivedAtMs: 0, replicas: undefined, jumpedAtMs: undefined, ownLossAgeMs: -1 }
}

/** The verdict may or may not stand; reading or repeating it tells. */
export function storeError(subject: Subject, failed: { error: unknown; refused: boolean; mayHaveRun: boolean }): Error {
  const what = failed.refused
    ? 'the store refuses the command. A retry will not help: see the cause'
    : 'the store did not answer. The same call may be repeated once it is back'
  const outcome = failed.mayHaveRun ? 'unknown' : 'not-run'
  return errorAbout(subject, 'ERR_IDEMPOTENCY_STORE', what, {
    outcome,
    retryable: !failed.refused,
    cause: failed.error,
  })
}

/** A record as people see it; undefined for what this version cannot read, be it the record or its payload. */
export function readableView(subject: Subject, text: string): RecordView | undefined {
  try {
    return toView(subject, text)
  } catch (error) {
    // Not handed on: the parser's message repeats what it read.
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
