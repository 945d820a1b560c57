import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseCandles } from '@safety/paper-exchange'
import type { Child, ChildPool } from './child-process.ts'
import { DemoError } from './demo-error.ts'
import { readReadyLine, type ExchangeAddress } from './exchange-control.ts'
import type { DemoOptions } from './options.ts'
import { BAR_MS, FIRST_HISTORY_END_MS, TIMING } from './setting.ts'

const HISTORY_BARS = 1000
// A real exchange allows 6000 for a minute of the market, which here passes in half a second.
const WEIGHT_PER_MINUTE = 60_000
// Three strikes would ban the naive side for two minutes and end the comparison at the first Retry-After.
const NO_BAN_AFTER = 1_000_000

function exchangeArgs(options: DemoOptions, accounts: readonly string[]): string[] {
  const single = {
    port: 0,
    seed: options.seed,
    'bar-ms': BAR_MS,
    'read-lag-ms': TIMING.readLagMs,
    'engine-timeout-ms': TIMING.engineTimeoutMs,
    'orders-10s': 500,
    'weight-limit': WEIGHT_PER_MINUTE,
    'ban-after': NO_BAN_AFTER,
  }
  return [
    '--json',
    '--paused',
    // A file of bars says itself where its history ends.
    ...(options.candles.length === 0 ? ['--last-bar-ms', String(FIRST_HISTORY_END_MS)] : []),
    ...Object.entries(single).flatMap(([name, value]) => [`--${name}`, String(value)]),
    ...accounts.flatMap(account => ['--account', account]),
    ...options.candles.flatMap(candles => ['--candles', candles]),
  ]
}

/** The first bars of a file are history; a file without more would be a run without an intent. */
function refuseWithoutTrading(candles: string): void {
  const file = candles.slice(candles.indexOf('=') + 1)
  const bars = parseCandles(readFileSync(file, 'utf8')).length
  if (bars > HISTORY_BARS) return
  throw new DemoError(`option '--candles': ${file} has ${bars} bars, and trading starts at bar ${HISTORY_BARS + 1}`, 2)
}

/**
 * Starts the paper exchange and waits until it listens.
 *
 * @throws DemoError with the exchange's own exit code, 2 or 3, and its own words
 */
export async function startExchange(
  pool: ChildPool,
  options: DemoOptions,
  accounts: readonly string[],
): Promise<{ child: Child; address: ExchangeAddress }> {
  const { promise: ready, resolve, reject } = Promise.withResolvers<ExchangeAddress>()
  const file = fileURLToPath(import.meta.resolve('@safety/paper-exchange/main'))
  const child = pool.start('paper-exchange', file, exchangeArgs(options, accounts), line => {
    try {
      const address = readReadyLine(line)
      if (address !== undefined) resolve(address)
    } catch (error) {
      reject(error)
    }
  })
  void child.exited.then(({ code, signal }) => {
    const words = child
      .complaint()
      .split('\n', 1)[0]!
      .replace(/^error: /, '')
    const text = words === '' ? `the paper exchange ended before it listened (${signal ?? `exit ${code}`})` : words
    reject(new DemoError(text, code === 2 ? 2 : 3))
  })
  const address = await ready
  // Only now is it known that each file is well-formed; if not, the exchange has said so in its own words.
  for (const candles of options.candles) refuseWithoutTrading(candles)
  return { child, address }
}
