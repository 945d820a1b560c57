import type { SymbolMarket } from '../market/market.ts'
import type { OrderRequest } from './exchange-engine.ts'
import { money, type Money } from './money.ts'
import { refusal, type ExchangeError } from './result.ts'

/** Rules per section 4.7, in the order in which they answer. `undefined`: the order passes. */
export function checkFilters(
  request: OrderRequest,
  market: SymbolMarket,
  openOrders: number,
): ExchangeError | undefined {
  const price = request.price === undefined ? undefined : money(request.price)
  const quantity = request.quantity === undefined ? undefined : money(request.quantity)
  const failed =
    (request.type !== 'MARKET' && price !== undefined && failsPrice(price, market) && 'PRICE_FILTER') ||
    (quantity !== undefined && failsLot(quantity, market) && 'LOT_SIZE') ||
    (request.type === 'MARKET' && quantity?.gt(market.spec.maxMarketQty) === true && 'MARKET_LOT_SIZE') ||
    (failsNotional(request, price, quantity, market) && 'NOTIONAL') ||
    (request.type !== 'MARKET' && price !== undefined && failsBand(price, market) && 'PERCENT_PRICE_BY_SIDE') ||
    (mayRest(request) && openOrders >= market.spec.maxOpenOrders && 'MAX_NUM_ORDERS')
  return failed === false || failed === undefined ? undefined : filterFailure(failed)
}

export function filterFailure(filter: string): ExchangeError {
  return refusal(-1013, `Filter failure: ${filter}`).error
}

function failsPrice(price: Money, { spec }: SymbolMarket): boolean {
  return price.lt(spec.minPrice) || price.gt(spec.maxPrice) || !price.mod(spec.priceStep).eq('0')
}

function failsLot(quantity: Money, { spec }: SymbolMarket): boolean {
  return quantity.lt(spec.lotStep) || quantity.gt(spec.maxQty) || !quantity.mod(spec.lotStep).eq('0')
}

/** MARKET has no upper bound; by quantity it is valued at the 5-minute average, by worth at that worth. */
function failsNotional(
  request: OrderRequest,
  price: Money | undefined,
  quantity: Money | undefined,
  market: SymbolMarket,
): boolean {
  const { spec } = market
  if (request.quoteOrderQty !== undefined) return money(request.quoteOrderQty).lt(spec.minNotional)
  if (quantity === undefined) return false
  const isMarket = request.type === 'MARKET'
  const notional = quantity.times(isMarket || price === undefined ? market.averagePrice() : price)
  return notional.lt(spec.minNotional) || (!isMarket && notional.gt(spec.maxNotional))
}

function failsBand(price: Money, market: SymbolMarket): boolean {
  const average = market.averagePrice()
  return price.lt(average.times(market.spec.bandDown)) || price.gt(average.times(market.spec.bandUp))
}

/** Only an order that may stay open counts against the number of open ones. */
function mayRest(request: OrderRequest): boolean {
  return request.type === 'LIMIT_MAKER' || (request.type === 'LIMIT' && (request.timeInForce ?? 'GTC') === 'GTC')
}
