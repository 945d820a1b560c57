import type { Clock } from '@safety/redis-core'
import { ExchangeError } from './create-order.ts'

const TRIES = 3
const FIRST_PAUSE_MS = 200
/** "Insufficient balance" and "filter failure": trying again cannot help. Everything else is tried again. */
const FINAL_CODES = [-2010, -1013]

/**
 * Tries to place an order up to three times, pausing 200 ms and then 400 ms.
 *
 * This is how public trading code does it. ccxt's sample "create order with retry" sends again whatever the error was;
 * so does catalyst ("Ordering again." after a read timeout, scrtlabs/catalyst issue 317: the same order twice).
 * hummingbot took a timeout for an order that failed (hummingbot/hummingbot issue 493: duplicate orders) and an order
 * that cannot be found yet for one that does not exist (issue 601, as in freqtrade/freqtrade issue 4403). A timeout, a
 * reset and a 503 do not say that the order was not accepted; nothing here is planted beyond that mistake.
 *
 * @param onError called with every error, also those that are tried again
 * @throws the last error
 */
export async function orderWithRetry<T>(
  clock: Clock,
  order: (attempt: number) => Promise<T>,
  onError: (error: Error) => void,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await order(attempt)
    } catch (error) {
      if (!(error instanceof Error)) throw error
      onError(error)
      const final = error instanceof ExchangeError && error.code !== undefined && FINAL_CODES.includes(error.code)
      if (final || attempt === TRIES) throw error
      await clock.sleep(FIRST_PAUSE_MS * 2 ** (attempt - 1))
    }
  }
}
