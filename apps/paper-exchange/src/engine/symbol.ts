import { money, print, type Money } from './money.ts'

export type SymbolStatus = 'TRADING' | 'HALT' | 'CANCEL_ONLY'

/** Entry of `symbols` in exchangeInfo. */
export interface SymbolInfo {
  readonly symbol: string
  readonly status: string
  readonly baseAsset: string
  readonly quoteAsset: string
  readonly filters: readonly Readonly<Record<string, unknown>>[]
  readonly [field: string]: unknown
}

/** What does not change about a symbol while the exchange runs. */
export interface SymbolSpec {
  readonly symbol: string
  readonly base: string
  readonly quote: string
  readonly priceStep: Money
  readonly lotStep: Money
  readonly minPrice: Money
  readonly maxPrice: Money
  readonly maxQty: Money
  readonly maxMarketQty: Money
  readonly minNotional: Money
  readonly maxNotional: Money
  /** An order's price must lie between these multiples of the 5-minute average. */
  readonly bandDown: Money
  readonly bandUp: Money
  readonly maxOpenOrders: number
  /** Where the generator starts. */
  readonly startPrice: Money
  /** Base quantity of one side of the book. */
  readonly depth: Money
}

const QUOTE = 'USDT'
const PATTERN = /^[A-Z0-9]{2,12}USDT$/
const KNOWN: Readonly<Record<string, { startPrice: string; lotStep: string }>> = {
  BTC: { startPrice: '60000', lotStep: '0.00001' },
  ETH: { startPrice: '3000', lotStep: '0.0001' },
  BNB: { startPrice: '600', lotStep: '0.001' },
}
const OTHER = { startPrice: '100', lotStep: '0.01' }

/** 20 BTC at its start price. */
const DEPTH_IN_QUOTE = money('1200000')

/** Base and quote asset, or `undefined` for a name that is no USDT pair. */
export function splitSymbol(symbol: string): { base: string; quote: string } | undefined {
  return PATTERN.test(symbol) ? { base: symbol.slice(0, -QUOTE.length), quote: QUOTE } : undefined
}

/** The fixed rules of a symbol. `startPrice` sets the book's depth; a candle file gives its own. `undefined` for no USDT pair. */
export function symbolSpec(symbol: string, startPrice?: Money): SymbolSpec | undefined {
  const assets = splitSymbol(symbol)
  if (assets === undefined) return undefined
  const known = KNOWN[assets.base] ?? OTHER
  const lotStep = money(known.lotStep)
  const start = startPrice ?? money(known.startPrice)
  const lots = DEPTH_IN_QUOTE.div(start).div(lotStep).round(0)
  const depth = (lots.lt('100') ? money('100') : lots).times(lotStep)
  return {
    symbol,
    ...assets,
    priceStep: money('0.01'),
    lotStep,
    minPrice: money('0.01'),
    maxPrice: money('1000000'),
    maxQty: lotStep.times('900000000'),
    maxMarketQty: depth.times('10'),
    minNotional: money('5'),
    maxNotional: money('9000000'),
    bandDown: money('0.2'),
    bandUp: money('5'),
    maxOpenOrders: 200,
    startPrice: start,
    depth,
  }
}

/** The exchangeInfo entry. HALT and CANCEL_ONLY show as its status. */
export function describeSymbol(spec: SymbolSpec, status: SymbolStatus): SymbolInfo {
  return {
    symbol: spec.symbol,
    status,
    baseAsset: spec.base,
    baseAssetPrecision: 8,
    quoteAsset: spec.quote,
    quotePrecision: 8,
    quoteAssetPrecision: 8,
    baseCommissionPrecision: 8,
    quoteCommissionPrecision: 8,
    orderTypes: ['LIMIT', 'LIMIT_MAKER', 'MARKET'],
    icebergAllowed: false,
    ocoAllowed: false,
    otoAllowed: false,
    opoAllowed: false,
    quoteOrderQtyMarketAllowed: true,
    allowTrailingStop: false,
    cancelReplaceAllowed: false,
    amendAllowed: false,
    pegInstructionsAllowed: false,
    isSpotTradingAllowed: true,
    isMarginTradingAllowed: false,
    filters: describeFilters(spec),
    permissions: [],
    permissionSets: [['SPOT']],
    defaultSelfTradePreventionMode: 'NONE',
    allowedSelfTradePreventionModes: ['NONE', 'EXPIRE_TAKER', 'EXPIRE_MAKER', 'EXPIRE_BOTH', 'DECREMENT'],
  }
}

function describeFilters(spec: SymbolSpec): Readonly<Record<string, unknown>>[] {
  return [
    {
      filterType: 'PRICE_FILTER',
      minPrice: print(spec.minPrice),
      maxPrice: print(spec.maxPrice),
      tickSize: print(spec.priceStep),
    },
    {
      filterType: 'LOT_SIZE',
      minQty: print(spec.lotStep),
      maxQty: print(spec.maxQty),
      stepSize: print(spec.lotStep),
    },
    {
      filterType: 'MARKET_LOT_SIZE',
      minQty: '0.00000000',
      maxQty: print(spec.maxMarketQty),
      stepSize: '0.00000000',
    },
    {
      filterType: 'PERCENT_PRICE_BY_SIDE',
      bidMultiplierUp: spec.bandUp.toFixed(),
      bidMultiplierDown: spec.bandDown.toFixed(),
      askMultiplierUp: spec.bandUp.toFixed(),
      askMultiplierDown: spec.bandDown.toFixed(),
      avgPriceMins: 5,
    },
    {
      filterType: 'NOTIONAL',
      minNotional: print(spec.minNotional),
      applyMinToMarket: true,
      maxNotional: print(spec.maxNotional),
      applyMaxToMarket: false,
      avgPriceMins: 5,
    },
    { filterType: 'MAX_NUM_ORDERS', maxNumOrders: spec.maxOpenOrders },
  ]
}
