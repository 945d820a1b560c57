import type { Clock } from '@safety/redis-core'

export interface Progress {
  /** What the run is doing now; until the first `run`, the bar shows only this. */
  phase(text: string): void
  /** Starts the bar over the given time. */
  run(totalMs: number): void
  /** Removes the bar from the terminal. */
  end(): void
}

const WIDTH = 30

/** One frame of the bar, cut to the width of the terminal. */
export function drawProgress(input: { doneMs: number; totalMs: number; phase: string; columns: number }): string {
  const { doneMs, totalMs, phase, columns } = input
  const share = totalMs === 0 ? 0 : Math.min(1, doneMs / totalMs)
  const filled = Math.round(share * WIDTH)
  const bar = `[${'#'.repeat(filled)}${'.'.repeat(WIDTH - filled)}]`
  const seconds =
    totalMs === 0
      ? ''
      : ` ${Math.min(doneMs, totalMs) / 1000 < 1 ? 0 : Math.floor(Math.min(doneMs, totalMs) / 1000)} of ${totalMs / 1000} s`
  return `${bar}${seconds}  ${phase}`.slice(0, Math.max(1, columns - 1))
}

/**
 * A progress bar on a terminal. On anything else it writes nothing at all.
 *
 * @param stream where the bar goes; its `isTTY` decides
 */
export function createProgress(
  stream: { isTTY?: boolean; columns?: number; write(text: string): unknown },
  clock: Clock,
): Progress {
  if (stream.isTTY !== true) return { phase() {}, run() {}, end() {} }
  let text = ''
  let startedAt = 0
  let totalMs = 0
  let timer: { cancel(): void } | undefined
  let ended = false
  function draw(): void {
    if (ended) return
    const doneMs = totalMs === 0 ? 0 : clock.monotonic() - startedAt
    stream.write(
      `\r\u001B[2K${drawProgress({
        doneMs,
        totalMs,
        phase: text, // A terminal that does not know its width says 0.
        columns: stream.columns || 80,
      })}`,
    )
    timer?.cancel()
    timer = clock.setTimeout(draw, 250, { ref: false })
  }
  return {
    phase(next) {
      text = next
      draw()
    },
    run(total) {
      startedAt = clock.monotonic()
      totalMs = total
      draw()
    },
    end() {
      if (ended) return
      ended = true
      timer?.cancel()
      stream.write('\r\u001B[2K')
    },
  }
}
