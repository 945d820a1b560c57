import { afterDelay, failpoint } from '@safety/redis-core'

import type { EffectContext } from './effect.ts'
import { grantOf } from './engine.ts'
import type { Engine } from './engine.ts'
import type { Intent } from './intent.ts'
import { epochOf } from './lease.ts'

/** How `run` ended, as far as this process saw. */
export type Ran = { readonly durationMs: number } & (
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'error'; readonly error: unknown; readonly timedOut: boolean }
  /** Still running a second after its timeout's abort. */
  | { readonly kind: 'timeout'; readonly late: Promise<unknown> }
)

export interface RunControl {
  /** Monotonic; when the lease alone would abort. Infinity without one. */
  readonly leaseDeadlineMs: () => number
  /** Called once, synchronously before `run`; the listener aborts it. */
  readonly onStart: (deadlineEpochMs: number, abort: (reason: unknown) => void) => void
}

const GRACE_MS = 1000

/** Runs the effect under its timeout. Nothing is awaited between the caller's last look at the lease and `run`. */
export async function runEffect(
  engine: Engine,
  intent: Intent,
  granted: { readonly fence: number; readonly attempt: number },
  { leaseDeadlineMs, onStart }: RunControl,
): Promise<Ran> {
  const { clock } = engine
  const { definition, input } = intent
  const controller = new AbortController()
  const startedMs = clock.monotonic()
  const timeoutAtMs = startedMs + definition.effectTimeoutMs
  const deadline = (): number => epochOf(engine, Math.min(leaseDeadlineMs(), timeoutAtMs))
  const ctx: EffectContext = {
    ...grantOf(intent, granted),
    signal: controller.signal,
    get deadline() {
      return deadline()
    },
  }
  onStart(deadline(), reason => controller.abort(reason))
  const running = start(() => definition.run(input, ctx))
  const ended = await raceTimeout(engine, running, definition.effectTimeoutMs, () =>
    controller.abort(
      new DOMException(`effect ${definition.name} took longer than ${definition.effectTimeoutMs} ms`, 'TimeoutError'),
    ),
  )
  const stop = failpoint('idempotency:after-effect')
  if (stop) await stop
  const durationMs = clock.monotonic() - startedMs
  switch (ended.kind) {
    case 'value':
      return { kind: 'value', value: ended.value, durationMs }
    case 'error':
      return { kind: 'error', error: ended.error, timedOut: ended.timedOut, durationMs }
    case 'timeout':
      break
  }
  return { kind: 'timeout', late: running, durationMs }
}

async function start(run: () => unknown): Promise<unknown> {
  return await run()
}

type Ended =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'error'; readonly error: unknown; readonly timedOut: boolean }
  | { readonly kind: 'timeout' }

/** The effect's end, or `timeout` a second after `onTimeout` was told. */
function raceTimeout(
  { clock }: Engine,
  running: Promise<unknown>,
  timeoutMs: number,
  onTimeout: () => void,
): Promise<Ended> {
  return new Promise(resolve => {
    let timedOut = false
    let timer = afterDelay(clock, timeoutMs, () => {
      timedOut = true
      timer = clock.setTimeout(() => resolve({ kind: 'timeout' }), GRACE_MS)
      onTimeout()
    })
    running.then(
      value => {
        timer.cancel()
        resolve({ kind: 'value', value })
      },
      (error: unknown) => {
        timer.cancel()
        resolve({ kind: 'error', error, timedOut })
      },
    )
  })
}
