import type { ExchangeCore } from '../exchange-core.ts'
import type { Result } from '../engine/result.ts'
import type { Endpoint } from './admission.ts'
import { outcomeOf, windowOf } from './engine-outcome.ts'
import { whole } from './order-parameters.ts'
import type { Parameters, ParameterSpecs } from './parameters.ts'
import { oneOf } from './refusal.ts'
import type { Refusal } from './refusal.ts'

const ROWS: ParameterSpecs = {
  symbol: 'symbol!',
  orderId: 'integer',
  startTime: 'integer',
  endTime: 'integer',
  limit: 'integer',
}

interface ReadCall {
  weight: Endpoint['weight']
  parameters: ParameterSpecs
  check?: (p: Parameters) => Refusal | undefined
  ask: (account: string, symbol: string, p: Parameters) => Result<unknown>
}

/** Calls that look into an account. */
export function createReadEndpoints(core: ExchangeCore): Record<string, Endpoint> {
  const { engine } = core
  const calls: Record<string, ReadCall> = {
    'GET /api/v3/order': {
      weight: () => 4,
      parameters: { symbol: 'symbol!', orderId: 'integer', origClientOrderId: 'clientOrderId' },
      check: p =>
        p['orderId'] === undefined && p['origClientOrderId'] === undefined
          ? oneOf('origClientOrderId', 'orderId')
          : undefined,
      ask: (account, symbol, { orderId, origClientOrderId }) =>
        engine.getOrder({ account, symbol, orderId: whole(orderId), origClientOrderId }),
    },
    'GET /api/v3/openOrders': {
      weight: sent => (sent.has('symbol') ? 6 : 80),
      parameters: { symbol: 'symbol' },
      ask: (account, _symbol, p) => engine.openOrders({ account, symbol: p['symbol'] }),
    },
    'GET /api/v3/allOrders': {
      weight: () => 20,
      parameters: ROWS,
      ask: (account, symbol, p) => engine.allOrders({ account, symbol, orderId: whole(p['orderId']), ...windowOf(p) }),
    },
    'GET /api/v3/myTrades': {
      weight: sent => (sent.has('orderId') ? 5 : 20),
      parameters: { ...ROWS, fromId: 'integer' },
      ask: (account, symbol, p) =>
        engine.myTrades({
          account,
          symbol,
          orderId: whole(p['orderId']),
          fromId: whole(p['fromId']),
          ...windowOf(p),
        }),
    },
    'GET /api/v3/account': {
      weight: () => 20,
      parameters: { omitZeroBalances: 'word' },
      ask: (account, _symbol, p) => engine.account({ account, omitZeroBalances: p['omitZeroBalances'] === 'true' }),
    },
    'GET /api/v3/rateLimit/order': {
      weight: () => 40,
      parameters: {},
      ask: account => engine.rateLimitOrder(account),
    },
  }
  return Object.fromEntries(Object.entries(calls).map(([name, call]) => [name, signed(core, call)]))
}

function signed(core: ExchangeCore, { weight, parameters, check, ask }: ReadCall): Endpoint {
  return {
    security: 'signed',
    parameters,
    weight,
    idParameter: 'origClientOrderId',
    prepare: (account, p) =>
      check?.(p) ?? { run: () => outcomeOf(core, ask(account, p['symbol'] ?? '', p)), symbol: p['symbol'] },
  }
}
