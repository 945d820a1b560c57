/** A signal asked the run to end. */
export class Interrupted extends Error {
  readonly exitCode: number

  constructor(signal: NodeJS.Signals, exitCode: number) {
    super(`stopped by ${signal}`)
    this.name = 'Interrupted'
    this.exitCode = exitCode
  }
}

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

/**
 * Aborts `controller` with `Interrupted` on the first signal; on a second one calls `onSecond` and leaves the process
 * at once.
 *
 * @returns takes the handlers away again
 */
export function listenForSignals(controller: AbortController, onSecond: () => void): () => void {
  let asked = false
  const handlers = (Object.keys(EXIT_CODES) as (keyof typeof EXIT_CODES)[]).map(signal => {
    const handler = (): void => {
      if (asked) {
        onSecond()
        process.exit(EXIT_CODES[signal])
      }
      asked = true
      controller.abort(new Interrupted(signal, EXIT_CODES[signal]))
    }
    process.on(signal, handler)
    return { signal, handler }
  })
  return () => {
    for (const { signal, handler } of handlers) process.off(signal, handler)
  }
}
