import type { Clock } from '@safety/redis-core'

import type { LossSignal } from './loss-signal.ts'

/** Time in which no claim may be granted: every lease given before a loss has then run out. */
export interface HoldOff {
  /** Starts it, or extends it. */
  start(forMs: number, reason: string): void
  readonly current: () => { untilMs: number; reason: string } | null
  /** Losses of the nodes: active during the hold-off, past afterwards. */
  remember(signals: readonly LossSignal[]): void
  losses(): LossSignal[]
  close(): void
}

export interface HoldOffListener {
  readonly started: (untilMs: number, reason: string) => void
  readonly ended: () => void
}

export function createHoldOff(clock: Clock, tell: HoldOffListener): HoldOff {
  let held: { untilMs: number; reason: string } | null = null
  let timer: { cancel(): void } | undefined
  let losses: readonly LossSignal[] = []

  function end(): void {
    held = null
    tell.ended()
  }
  return {
    start(forMs, reason) {
      const untilMs = clock.now() + forMs
      if (forMs <= 0 || (held !== null && held.untilMs >= untilMs)) return
      held = { untilMs, reason }
      timer?.cancel()
      timer = clock.setTimeout(end, forMs, { ref: false })
      tell.started(untilMs, reason)
    },
    current: () => (held === null || held.untilMs <= clock.now() ? null : { ...held }),
    remember(signals) {
      const nodes = new Set(signals.map(({ node }) => node))
      losses = [...losses.filter(({ node }) => !nodes.has(node)), ...signals]
    },
    losses() {
      const past = held === null || held.untilMs <= clock.now()
      return losses.map(signal => ({ ...signal, past }))
    },
    close() {
      timer?.cancel()
    },
  }
}
