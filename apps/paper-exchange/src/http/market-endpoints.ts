import { refusalOf } from '../exchange-core.ts'
import type { ExchangeCore, Outcome } from '../exchange-core.ts'
import type { Endpoint } from './admission.ts'
import { outcomeOf, windowOf } from './engine-outcome.ts'
import { exchangeInfo } from './exchange-info.ts'
import { whole } from './order-parameters.ts'
import type { Parameters, ParameterSpecs } from './parameters.ts'
import { badCombination, invalidInterval } from './refusal.ts'
import type { Refusal } from './refusal.ts'

const MAX_DEPTH = 5000

interface OpenCall {
  weight: Endpoint['weight']
  parameters: ParameterSpecs
  check?: (p: Parameters) => Refusal | undefined
  run: (p: Parameters) => Outcome | Refusal
}

/** Calls anybody may make. */
export function createMarketEndpoints(core: ExchangeCore): Record<string, Endpoint> {
  const { engine } = core
  const calls: Record<string, OpenCall> = {
    'GET /api/v3/ping': { weight: () => 1, parameters: {}, run: () => ({ body: {} }) },
    'GET /api/v3/time': {
      weight: () => 1,
      parameters: {},
      run: () => ({ body: { serverTime: engine.timeline.nowMs() } }),
    },
    'GET /api/v3/exchangeInfo': {
      weight: () => 20,
      parameters: { symbol: 'symbol', symbols: 'symbols' },
      check: eitherSymbol,
      run: p => exchangeInfo(core, p),
    },
    'GET /api/v3/klines': {
      weight: () => 2,
      parameters: {
        symbol: 'symbol!',
        interval: 'interval!',
        startTime: 'integer',
        endTime: 'integer',
        limit: 'integer',
      },
      check: p => (p['interval'] === '1m' ? undefined : invalidInterval),
      run: p => outcomeOf(core, engine.klines({ symbol: p['symbol'] ?? '', ...windowOf(p) })),
    },
    'GET /api/v3/ticker/bookTicker': {
      weight: sent => (sent.has('symbol') ? 2 : 4),
      parameters: { symbol: 'symbol', symbols: 'symbols' },
      check: eitherSymbol,
      run: p => bookTickers(core, p),
    },
    'GET /api/v3/avgPrice': {
      weight: () => 2,
      parameters: { symbol: 'symbol!' },
      run: p => outcomeOf(core, engine.avgPrice(p['symbol'] ?? '')),
    },
    'GET /api/v3/depth': {
      weight: () => 5,
      parameters: { symbol: 'symbol!', limit: 'integer' },
      run: p => outcomeOf(core, engine.depth(p['symbol'] ?? '', Math.min(MAX_DEPTH, whole(p['limit']) ?? 100))),
    },
  }
  return Object.fromEntries(Object.entries(calls).map(([name, call]) => [name, open(call)]))
}

function open({ weight, parameters, check, run }: OpenCall): Endpoint {
  return {
    security: 'none',
    parameters,
    weight,
    prepare: (_account, p) => check?.(p) ?? { run: () => run(p), symbol: p['symbol'] },
  }
}

function bookTickers(core: ExchangeCore, p: Parameters): Outcome | Refusal {
  const { symbol, symbols } = p
  if (symbol !== undefined) return outcomeOf(core, core.engine.bookTicker(symbol))
  const names = symbols === undefined ? core.engine.symbols : (JSON.parse(symbols) as string[])
  const body: unknown[] = []
  for (const name of names) {
    const ticker = core.engine.bookTicker(name)
    if (!ticker.ok) return refusalOf(ticker.error, core.engine.timeline.nowMs())
    body.push(ticker.value)
  }
  return { body }
}

function eitherSymbol(p: Parameters): Refusal | undefined {
  return p['symbol'] !== undefined && p['symbols'] !== undefined ? badCombination : undefined
}
