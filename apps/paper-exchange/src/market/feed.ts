import type { Money } from '../engine/money.ts'
import type { Timeline } from '../engine/timeline.ts'
import type { Bar } from './bar.ts'
import { createBarPlayer, type BarPlayerOptions } from './bar-player.ts'
import { TICKS_PER_BAR } from './bar-ticks.ts'

export interface FeedOptions extends BarPlayerOptions {
  readonly timeline: Timeline
  /** Server milliseconds a bar lasts. */
  readonly barMs: number
  /** Steady time at which the first live bar opens; ticks already past are played at once. */
  readonly startMs: number
}

/** One symbol's market time: bars played tick by tick as server time passes. */
export interface Feed {
  /** Call once, when the engine is ready for ticks. */
  start(): void
  price(): Money
  /** Ticks so far, which is also the book's update id. */
  tick(): number
  /** Closed bars, oldest first. */
  closed(): readonly Bar[]
  running(): Bar | undefined
  /** A tick at `price`; what follows is scaled so that the feed goes on from there. */
  setPrice(price: Money): void
  /** Paused, no tick comes by time; resumed, the bar goes on where it stood. */
  setPaused(paused: boolean): void
  /** Plays the running bar to its end at once and opens the next; `false` if the feed has ended. */
  closeBar(): boolean
  stop(): void
}

export function createFeed(options: FeedOptions): Feed {
  const { timeline, barMs } = options
  const player = createBarPlayer(options)
  let openedMs = options.startMs
  let task: { cancel(): void } | undefined
  let pausedAtMs: number | undefined
  let stopped = false

  const dueMs = (): number => {
    const next = player.nextTick()
    return next === undefined ? Infinity : openedMs + Math.floor((next * barMs) / TICKS_PER_BAR)
  }

  const schedule = (): void => {
    task?.cancel()
    task = undefined
    if (player.nextTick() === undefined || pausedAtMs !== undefined || stopped) return
    task = timeline.schedule(step, dueMs() - timeline.steadyMs())
  }

  function step(): void {
    if (player.nextTick() === TICKS_PER_BAR) {
      player.close()
      openedMs += barMs
      player.open()
    } else player.play()
    schedule()
  }

  return {
    start: () => {
      player.open()
      while (player.nextTick() !== TICKS_PER_BAR && dueMs() <= timeline.steadyMs()) player.play()
      schedule()
    },
    price: () => player.price(),
    tick: () => player.ticks(),
    closed: () => player.closed(),
    running: () => player.running(),
    setPrice: price => player.setPrice(price),
    setPaused: paused => {
      if (paused === (pausedAtMs !== undefined)) return
      openedMs += pausedAtMs === undefined ? 0 : timeline.steadyMs() - pausedAtMs
      pausedAtMs = paused ? timeline.steadyMs() : undefined
      schedule()
    },
    closeBar: () => {
      if (player.nextTick() === undefined) return false
      player.close()
      openedMs = timeline.steadyMs()
      if (pausedAtMs !== undefined) pausedAtMs = openedMs
      player.open()
      schedule()
      return true
    },
    stop: () => {
      stopped = true
      schedule()
    },
  }
}
