import { failpoint } from '@safety/redis-core'

import { doubtError } from './doubt.ts'
import { grantOf, NO_ATTEMPT, tell } from './engine.ts'
import type { Engine } from './engine.ts'
import type { Intent } from './intent.ts'
import { resultError } from './outcome.ts'
import type { Settled } from './outcome.ts'
import { sharedPayload } from './payload.ts'
import { encodeResult } from './result.ts'
import { runEffect } from './running.ts'
import type { Ran } from './running.ts'

/**
 * Runs without a claim: fence 0, nothing recorded. In observe mode the caller gets exactly what `run` gives, and the
 * facts say `observed`.
 */
export async function runUnprotected(engine: Engine, intent: Intent): Promise<Settled> {
  const { observe } = engine.options
  const ran = await runEffect(engine, intent, NO_ATTEMPT, {
    leaseDeadlineMs: () => Number.POSITIVE_INFINITY,
    onStart: deadline => tell(engine, intent, NO_ATTEMPT, () => ({ type: 'started', deadlineMs: deadline() }), observe),
  })
  const stop = failpoint('idempotency:after-effect')
  if (stop) await stop
  const outcome =
    ran.kind === 'value' ? 'ran' : ran.kind === 'timeout' ? 'unknown' : intent.definition.classifyError(ran.error)
  const ended = { durationMs: ran.durationMs, recorded: false, superseded: false, accepted: false }
  tell(engine, intent, NO_ATTEMPT, { type: 'finished', outcome, ...ended }, observe)
  const value = await valueOf(engine, intent, ran)
  if (observe) return settled(intent, value, undefined)
  const encoded = await encodeResult(intent.definition, value)
  if (!encoded.ok) throw resultError(intent, 'write', encoded.issues, value, { fence: 0, attempt: 0 })
  return settled(intent, encoded.read(), sharedPayload(encoded.body))
}

async function valueOf(engine: Engine, intent: Intent, ran: Ran): Promise<unknown> {
  switch (ran.kind) {
    case 'value':
      return ran.value
    case 'error':
      throw ran.error
    case 'timeout':
      break
  }
  if (engine.options.observe) return await ran.late
  // Nobody waits for it any more, and there is no record to complete.
  ran.late.catch(() => undefined)
  throw doubtError(engine, intent, { ...NO_ATTEMPT, mode: intent.definition.mode, reason: 'timeout' })
}

function settled(intent: Intent, value: unknown, payload: string | undefined): Settled {
  const status = {
    status: 'executed',
    recorded: false,
    durable: undefined,
    superseded: false,
    unprotected: true,
  } as const
  return { execution: { ...grantOf(intent, NO_ATTEMPT), value, ...status }, payload }
}
