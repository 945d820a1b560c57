import type { SymbolMarket } from '../market/market.ts'
import type { TruthFact } from '../truth/entry.ts'
import type { Books } from './books.ts'
import type { ExchangeEngine } from './exchange-engine.ts'
import { filterFailure } from './filters.ts'
import type { Guard } from './guard.ts'
import { money, print } from './money.ts'
import { refusal, success, type Result } from './result.ts'

const PRICE = /^\d{1,12}(\.\d{1,8})?$/
const MAX_BARS_AT_ONCE = 10_000

type MarketDesk = Pick<ExchangeEngine, 'setStatus' | 'setPrice' | 'setPaused' | 'closeBars'>

/** The market's levers; each is told to the truth log before it acts. */
export function createMarketDesk(books: Books, after: Guard): MarketDesk {
  const log = (market: SymbolMarket, action: MarketAction, detail: string): void => {
    books.truth.append({ type: 'market', account: null, symbol: market.spec.symbol, action, detail })
  }
  return {
    setStatus: after((symbol, status) =>
      onSymbols(books, symbol, market => {
        log(market, 'status', status)
        market.status = status
      }),
    ),
    setPrice: after((symbol, text) => {
      const market = books.market.get(symbol)
      if (market === undefined) return refusal(-1121, 'Invalid symbol.')
      const price = PRICE.test(text) ? money(text) : undefined
      const { minPrice, maxPrice, priceStep } = market.spec
      if (price === undefined || price.lt(minPrice) || price.gt(maxPrice) || !price.mod(priceStep).eq('0')) {
        return { ok: false, error: filterFailure('PRICE_FILTER') }
      }
      log(market, 'price', print(price))
      market.feed.setPrice(price)
      return success({ symbols: [symbol] })
    }),
    setPaused: after((symbol, paused) =>
      onSymbols(books, symbol, market => {
        log(market, paused ? 'pause' : 'resume', '')
        market.feed.setPaused(paused)
      }),
    ),
    closeBars: after((symbol, bars) => {
      if (!Number.isSafeInteger(bars) || bars < 1 || bars > MAX_BARS_AT_ONCE) {
        return refusal(-1130, `bars must be a whole number from 1 to ${MAX_BARS_AT_ONCE}.`)
      }
      return closeTogether(books, symbol, bars)
    }),
  }
}

type MarketAction = Extract<TruthFact, { type: 'market' }>['action']

/** All symbols close a bar before any closes the next, as they would by time. Refused if a feed has ended. */
function closeTogether(books: Books, symbol: string | undefined, bars: number): Result<{ symbols: readonly string[] }> {
  const chosen = choose(books, symbol)
  if (!chosen.ok) return chosen
  for (let done = 0; done < bars; done++) {
    const moved = chosen.value.filter(market => market.feed.closeBar())
    if (moved.length === 0) return refusal(-1130, `The feed has ended; ${done} of ${bars} bars were closed.`)
  }
  return success({ symbols: chosen.value.map(market => market.spec.symbol) })
}

function onSymbols(
  books: Books,
  symbol: string | undefined,
  work: (market: SymbolMarket) => void,
): Result<{ symbols: readonly string[] }> {
  const chosen = choose(books, symbol)
  if (!chosen.ok) return chosen
  for (const market of chosen.value) work(market)
  return success({ symbols: chosen.value.map(market => market.spec.symbol) })
}

function choose(books: Books, symbol: string | undefined): Result<readonly SymbolMarket[]> {
  const names = symbol === undefined ? books.market.symbols : [symbol]
  const markets = names.map(name => books.market.get(name)).filter(market => market !== undefined)
  return markets.length === names.length ? success(markets) : refusal(-1121, 'Invalid symbol.')
}
