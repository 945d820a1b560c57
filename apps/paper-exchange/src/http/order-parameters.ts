import type { CancelRequest, OrderRequest } from '../engine/exchange-engine.ts'
import type { ParameterSpecs, Parameters } from './parameters.ts'
import { badCombination, invalid, missing, notRequired, notValid, oneOf, rejected } from './refusal.ts'
import type { Refusal } from './refusal.ts'

/** Parameters of POST order and order/test, those of later releases included, so that they are refused by name. */
export const ORDER_PARAMETERS: ParameterSpecs = {
  symbol: 'symbol!',
  side: 'word!',
  type: 'word!',
  timeInForce: 'word',
  quantity: 'decimal',
  quoteOrderQty: 'decimal',
  price: 'decimal',
  newClientOrderId: 'clientOrderId',
  strategyId: 'integer',
  strategyType: 'integer',
  stopPrice: 'decimal',
  trailingDelta: 'integer',
  icebergQty: 'decimal',
  newOrderRespType: 'word',
  selfTradePreventionMode: 'word',
}

export const CANCEL_PARAMETERS: ParameterSpecs = {
  symbol: 'symbol!',
  orderId: 'integer',
  origClientOrderId: 'clientOrderId',
  newClientOrderId: 'clientOrderId',
  cancelRestrictions: 'word',
}

const UNSUPPORTED: Readonly<Record<string, string>> = {
  STOP_LOSS: 'Stop loss orders are not supported for this symbol.',
  STOP_LOSS_LIMIT: 'Stop loss limit orders are not supported for this symbol.',
  TAKE_PROFIT: 'Take profit orders are not supported for this symbol.',
  TAKE_PROFIT_LIMIT: 'Take profit limit orders are not supported for this symbol.',
}
const PREVENTION_MODES = ['NONE', 'EXPIRE_TAKER', 'EXPIRE_MAKER', 'EXPIRE_BOTH', 'DECREMENT', 'TRANSFER']
const RESPONSE_TYPES = ['ACK', 'RESULT', 'FULL']
const MIN_STRATEGY_TYPE = 1_000_000

type OrderType = OrderRequest['type']

/** Mandatory and superfluous parameters of each type. */
const SHAPES: Record<OrderType, { needs: readonly string[]; refuses: readonly string[] }> = {
  LIMIT: { needs: ['timeInForce', 'quantity', 'price'], refuses: ['quoteOrderQty', 'stopPrice', 'trailingDelta'] },
  MARKET: { needs: [], refuses: ['timeInForce', 'price', 'stopPrice', 'trailingDelta', 'icebergQty'] },
  LIMIT_MAKER: {
    needs: ['quantity', 'price'],
    refuses: ['timeInForce', 'quoteOrderQty', 'stopPrice', 'trailingDelta'],
  },
}

/** Checks what one order type needs and gives the engine's request, or the refusal. */
export function readOrder(account: string, p: Parameters, signedAtMs: number | undefined): OrderRequest | Refusal {
  const refusal = checkWords(p) ?? checkShape(p)
  if (refusal !== undefined) return refusal
  return {
    account,
    symbol: p['symbol'] ?? '',
    side: p['side'] as OrderRequest['side'],
    type: p['type'] as OrderType,
    timeInForce: p['timeInForce'] as OrderRequest['timeInForce'],
    quantity: p['quantity'],
    quoteOrderQty: p['quoteOrderQty'],
    price: p['price'],
    newClientOrderId: p['newClientOrderId'],
    selfTradePreventionMode: p['selfTradePreventionMode'],
    strategyId: whole(p['strategyId']),
    strategyType: whole(p['strategyType']),
    newOrderRespType: p['newOrderRespType'] as OrderRequest['newOrderRespType'],
    signedAtMs,
  }
}

/** The engine's cancel request, or the refusal. */
export function readCancel(account: string, p: Parameters): CancelRequest | Refusal {
  if (p['orderId'] === undefined && p['origClientOrderId'] === undefined) return oneOf('origClientOrderId', 'orderId')
  const restrictions = p['cancelRestrictions']
  if (restrictions !== undefined && restrictions !== 'ONLY_NEW' && restrictions !== 'ONLY_PARTIALLY_FILLED') {
    const msg = "'cancelRestrictions' has to be either ONLY_NEW or ONLY_PARTIALLY_FILLED."
    return { status: 400, code: -1145, msg }
  }
  return {
    account,
    symbol: p['symbol'] ?? '',
    orderId: whole(p['orderId']),
    origClientOrderId: p['origClientOrderId'],
    newClientOrderId: p['newClientOrderId'],
    cancelRestrictions: restrictions,
  }
}

/** A whole-number parameter, or nothing. */
export function whole(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text)
}

function checkWords(p: Parameters): Refusal | undefined {
  const { side, type = '', timeInForce, newOrderRespType, selfTradePreventionMode } = p
  if (side !== 'BUY' && side !== 'SELL') return invalid(-1117, 'side')
  const unsupported = UNSUPPORTED[type]
  if (unsupported !== undefined) return rejected(unsupported)
  if (!Object.hasOwn(SHAPES, type)) return invalid(-1116, 'orderType')
  if (timeInForce !== undefined && !['GTC', 'IOC', 'FOK'].includes(timeInForce)) return invalid(-1115, 'timeInForce')
  if (newOrderRespType !== undefined && !RESPONSE_TYPES.includes(newOrderRespType)) return notValid('newOrderRespType')
  if (selfTradePreventionMode !== undefined && !PREVENTION_MODES.includes(selfTradePreventionMode)) {
    return notValid('selfTradePreventionMode')
  }
  const strategyType = whole(p['strategyType'])
  if (strategyType !== undefined && strategyType < MIN_STRATEGY_TYPE) {
    return { status: 400, code: -1134, msg: "'strategyType' was less than 1000000." }
  }
  return undefined
}

function checkShape(p: Parameters): Refusal | undefined {
  const shape = SHAPES[p['type'] as OrderType]
  const absent = shape.needs.find(name => p[name] === undefined)
  if (absent !== undefined) return missing(absent)
  const superfluous = shape.refuses.find(name => p[name] !== undefined)
  if (superfluous !== undefined) return notRequired(superfluous)
  if (p['type'] === 'MARKET') {
    if (p['quantity'] === undefined && p['quoteOrderQty'] === undefined) return oneOf('quantity', 'quoteOrderQty')
    if (p['quantity'] !== undefined && p['quoteOrderQty'] !== undefined) return badCombination
  }
  return p['icebergQty'] === undefined ? undefined : rejected('Iceberg orders are not supported for this symbol.')
}
