import { afterDelay } from '@safety/redis-core'

import type { EffectContext } from './effect.ts'
import { effectIdOf } from './engine.ts'
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
  /** Called once, synchronously before `run`; the listener aborts it. `deadline` is the moment as people know it. */
  readonly onStart: (deadline: () => number, abort: (reason: unknown) => void) => void
}

const GRACE_MS = 1000

/** Runs the effect under its timeout. Nothing is awaited between the caller's last look at the lease and `run`. */
export function runEffect(
  engine: Engine,
  intent: Intent,
  granted: { readonly fence: number; readonly attempt: number },
  { leaseDeadlineMs, onStart }: RunControl,
): Promise<Ran> {
  const { clock } = engine
  const { definition, input } = intent
  const { name, effectTimeoutMs } = definition
  const startedMs = clock.monotonic()
  const deadline = (): number => epochOf(engine, Math.min(leaseDeadlineMs(), startedMs + effectTimeoutMs))
  // Most effects end before anybody looks at their signal.
  let controller: AbortController | undefined
  const control = (): AbortController => (controller ??= new AbortController())
  const ctx: EffectContext = {
    key: intent.key,
    effectId: effectIdOf(intent),
    fence: granted.fence,
    attempt: granted.attempt,
    get signal() {
      return control().signal
    },
    get deadline() {
      return deadline()
    },
  }
  onStart(deadline, reason => control().abort(reason))
  const running = new Promise<unknown>(resolve => {
    resolve(definition.run(input, ctx))
  })
  const sinceStartMs = (): number => clock.monotonic() - startedMs
  return new Promise(resolve => {
    let timedOut = false
    let timer = afterDelay(clock, effectTimeoutMs, () => {
      timedOut = true
      timer = clock.setTimeout(() => resolve({ kind: 'timeout', late: running, durationMs: sinceStartMs() }), GRACE_MS)
      // In observe mode an effect takes the time it takes without us.
      if (engine.options.observe) return
      control().abort(new DOMException(`effect ${name} took longer than ${effectTimeoutMs} ms`, 'TimeoutError'))
    })
    running.then(
      value => {
        timer.cancel()
        resolve({ kind: 'value', value, durationMs: sinceStartMs() })
      },
      (error: unknown) => {
        timer.cancel()
        resolve({ kind: 'error', error, timedOut, durationMs: sinceStartMs() })
      },
    )
  })
}
