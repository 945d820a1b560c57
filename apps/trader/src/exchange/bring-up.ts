import type { Clock } from '@safety/redis-core'
import type { TraderConfig } from '../config.ts'
import { StartError } from '../start-error.ts'
import type { Answer } from './api.ts'
import type { SymbolRules } from './filters.ts'
import type { ExchangeLink } from './link.ts'

/** How long a start waits for the exchange to answer. */
const patienceMs = 15_000
const pauseMs = 250

/**
 * Asks until the exchange answers.
 *
 * @param what names what is read, for the message
 * @throws StartError 2 when it refuses the key or the question, 4 when it is away for longer than 15 s.
 */
export async function insist<T>(
  ask: () => Promise<Answer<T>>,
  what: string,
  options: { clock: Clock; signal: AbortSignal },
): Promise<T> {
  const { clock, signal } = options
  const startedMs = clock.monotonic()
  for (;;) {
    const answer = await ask()
    if (answer.ok) return answer.value
    const { reason, retryAfterMs } = answer.outcome
    if (answer.outcome.class === 'CONFIGURATION') {
      throw new StartError(2, `the exchange refuses TRADER_API_KEY or TRADER_API_SECRET (${reason})`)
    }
    if (answer.outcome.class === 'REJECTED') throw new StartError(2, `${what}: the exchange answers ${reason}`)
    const waitMs = Math.max(pauseMs, retryAfterMs ?? 0)
    if (clock.monotonic() - startedMs + waitMs > patienceMs)
      throw new StartError(4, `${what} cannot be read (${reason})`)
    await clock.sleep(waitMs, { signal })
  }
}

/**
 * Synchronises the clock and reads the rules of the symbols.
 *
 * @throws StartError 4 when the exchange does not answer, 2 when it does not have a symbol.
 */
export async function bringUp(
  link: ExchangeLink,
  config: TraderConfig,
  options: { clock: Clock; signal: AbortSignal },
): Promise<Map<string, SymbolRules>> {
  const { clock, signal } = options
  const startedMs = clock.monotonic()
  while (!(await link.clockSync.sync())) {
    if (clock.monotonic() - startedMs > patienceMs) throw new StartError(4, 'the exchange does not answer')
    await clock.sleep(pauseMs, { signal })
  }
  const info = await insist(() => link.api.exchangeInfo(config.symbols), 'TRADER_SYMBOLS', options)
  if (info.weightPerMinute !== undefined) link.gate.setLimit(info.weightPerMinute)
  const rules = new Map(info.rules.map(rule => [rule.symbol, rule]))
  for (const symbol of config.symbols) {
    if (!rules.has(symbol)) throw new StartError(2, `TRADER_SYMBOLS: the exchange does not trade ${symbol}`)
  }
  return rules
}
