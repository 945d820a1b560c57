import { Big } from 'big.js'
import { z } from 'zod'
import type { SymbolRules } from '../exchange/filters.ts'
import type { RestClient } from '../exchange/rest-client.ts'
import type { Intent } from '../orders/intent.ts'

/** An order as the exchange's answer has it. */
export interface OrderAnswer {
  readonly orderId: number
  readonly status: string
  readonly fills: readonly {
    readonly price: string
    readonly qty: string
    readonly commission: string
    readonly commissionAsset: string
  }[]
}

const ANSWER: z.ZodType<OrderAnswer> = z.object({
  orderId: z.number(),
  status: z.string(),
  fills: z.array(z.object({ price: z.string(), qty: z.string(), commission: z.string(), commissionAsset: z.string() })),
})

/** An answer that is not an order. The message is what a log line would show. */
export class ExchangeError extends Error {
  /** The exchange's code, if its answer had one. */
  readonly code: number | undefined

  constructor(message: string, code: number | undefined) {
    super(message)
    this.name = 'ExchangeError'
    this.code = code
  }
}

/** Sends one order and gives back what the exchange answered. Anything but a readable 200 throws. */
export async function createOrder(
  client: RestClient,
  intent: Intent,
  sent: { timestampMs: number; recvWindowMs: number },
): Promise<OrderAnswer> {
  const { facts, body } = await client.send({
    method: 'POST',
    path: '/api/v3/order',
    auth: 'signed',
    timestampMs: sent.timestampMs,
    recvWindowMs: sent.recvWindowMs,
    params: {
      symbol: intent.symbol,
      side: intent.side,
      type: intent.type,
      quantity: intent.quantity,
      newClientOrderId: intent.id,
      newOrderRespType: 'FULL',
    },
  })
  if (facts.status === undefined)
    throw new ExchangeError(`binance POST order failed (${facts.cause ?? 'no answer'})`, undefined)
  if (facts.status !== 200) {
    throw new ExchangeError(`binance ${facts.status} {"code":${facts.code},"msg":"${facts.message}"}`, facts.code)
  }
  const order = ANSWER.safeParse(body)
  if (!order.success) throw new ExchangeError('binance POST order answered with invalid JSON', undefined)
  return order.data
}

/** What the fills of an answer change in each asset, commission included. */
export function changesOf(answer: OrderAnswer, intent: Intent, rules: SymbolRules): Record<string, string> {
  const changes = new Map<string, Big>()
  const add = (asset: string, amount: Big): void => {
    changes.set(asset, (changes.get(asset) ?? new Big(0)).plus(amount))
  }
  const sign = intent.side === 'BUY' ? 1 : -1
  for (const fill of answer.fills) {
    add(rules.baseAsset, new Big(fill.qty).times(sign))
    add(rules.quoteAsset, new Big(fill.qty).times(fill.price).times(-sign))
    add(fill.commissionAsset, new Big(fill.commission).times(-1))
  }
  return Object.fromEntries([...changes].map(([asset, change]) => [asset, change.toFixed(8)]))
}
