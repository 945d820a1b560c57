import type { Clock } from '@safety/redis-core'
import type { Timeline } from '../engine/timeline.ts'

/** Keeps one real timer on the next task of a timeline. */
export interface TimelineDriver {
  /** Stops the real timer; the timeline stays as it is. */
  stop(): void
}

/** Node's timers hold 31 bits; a longer wait is taken in steps. */
const LONGEST_TIMER_MS = 2_147_483_647

/** Runs the tasks of `timeline` as real time passes. On a manual timeline it does nothing until the mode changes. */
export function driveTimeline(timeline: Timeline, clock: Clock): TimelineDriver {
  let armed: { cancel(): void } | undefined
  let dueAt: number | undefined
  let stopped = false

  const disarm = (): void => {
    armed?.cancel()
    armed = undefined
    dueAt = undefined
  }

  const arm = (): void => {
    if (stopped) return
    const delayMs = timeline.mode === 'real' ? timeline.nextDelayMs() : undefined
    if (delayMs === undefined) return disarm()
    const due = timeline.steadyMs() + delayMs
    if (dueAt === due && armed !== undefined) return
    disarm()
    dueAt = due
    armed = clock.setTimeout(fire, Math.min(LONGEST_TIMER_MS, Math.ceil(delayMs)))
  }

  function fire(): void {
    disarm()
    if (stopped) return
    timeline.runDue()
    arm()
  }

  const unsubscribe = timeline.onChange(arm)
  arm()
  return {
    stop: () => {
      stopped = true
      unsubscribe()
      disarm()
    },
  }
}
