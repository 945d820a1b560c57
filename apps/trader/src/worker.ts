import { createInterface, type Interface } from 'node:readline'
import { systemClock, systemRandom } from '@safety/redis-core'
import { ConfigError } from './config.ts'
import { createLineReport } from './log.ts'
import { detailOf } from './report.ts'
import { StartError } from './start-error.ts'
import { createTrader, type Trader } from './trader.ts'
import { readWorkerInit } from './worker-init.ts'

type Command = 'drain' | 'stop'

function commandIn(line: string): Command | undefined {
  try {
    const message: unknown = JSON.parse(line)
    if (typeof message !== 'object' || message === null || !('type' in message)) return undefined
    return message.type === 'drain' || message.type === 'stop' ? message.type : undefined
  } catch {
    // Whoever holds the other end may be cut off in the middle of a line.
    return undefined
  }
}

/** Reads lines; the end of the input, and the signals to end, count as `stop`. */
function listen(input: Interface): { init: Promise<string>; stopped: AbortSignal; onDrain: (run: () => void) => void } {
  const init = Promise.withResolvers<string>()
  const stop = new AbortController()
  let drained = false
  let drain = (): void => {
    drained = true
  }
  let first = true
  const end = (): void => {
    init.reject(new ConfigError('init', 'the input ended before its first line'))
    stop.abort(new Error('stopped'))
  }
  input.on('line', line => {
    if (first) {
      first = false
      init.resolve(line)
      return
    }
    const command = commandIn(line)
    if (command === 'stop') end()
    if (command === 'drain') drain()
  })
  input.on('close', end)
  process.on('SIGTERM', end)
  // A terminal sends Ctrl-C to the whole group; the process that started this one decides what it means.
  process.on('SIGINT', () => {})
  return {
    init: init.promise,
    stopped: stop.signal,
    onDrain(run) {
      drain = run
      if (drained) run()
    },
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof ConfigError) return 2
  return error instanceof StartError ? error.exitCode : 1
}

function untilAborted(signal: AbortSignal): Promise<void> {
  const ended = Promise.withResolvers<void>()
  if (signal.aborted) ended.resolve()
  else signal.addEventListener('abort', () => ended.resolve(), { once: true })
  return ended.promise
}

/**
 * One worker process: reads its setup from the first line of its input, trades until its input ends or says `stop`,
 * and answers the exit code: 0 stopped in order, 2 configuration, 3 Redis, 4 exchange.
 */
export async function runWorker(input: NodeJS.ReadableStream, complain: (line: string) => void): Promise<number> {
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })
  const { init, stopped, onDrain } = listen(lines)
  let trader: Trader | undefined
  try {
    const setup = readWorkerInit(await init)
    const report = createLineReport(systemClock)
    trader = createTrader({ ...setup, report, clock: systemClock, random: systemRandom })
    await trader.start({ signal: stopped })
    const started = trader
    onDrain(() => {
      started.drain({ signal: stopped }).catch((error: unknown) => {
        if (!stopped.aborted) complain(`drain failed: ${detailOf(error)}`)
      })
    })
    await untilAborted(stopped)
    return 0
  } catch (error) {
    if (stopped.aborted && !(error instanceof ConfigError)) return 0
    // Why Redis is refused takes more than a line.
    complain(error instanceof StartError ? error.message : detailOf(error))
    return exitCodeOf(error)
  } finally {
    await trader?.stop()
    lines.close()
  }
}
