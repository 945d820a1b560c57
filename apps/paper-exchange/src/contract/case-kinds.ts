import type { CallParameters, ContractCase, Terms } from './contract-case.ts'
import type { Shape } from './shape.ts'

/** A limit order far away from the market. */
export const limit = ({ symbol, farPrice, quantity }: Terms): CallParameters => ({
  symbol,
  side: 'BUY',
  type: 'LIMIT',
  timeInForce: 'GTC',
  quantity,
  price: farPrice,
})
/** The same with changes. */
export const but =
  (change: CallParameters, without: readonly string[] = []) =>
  (terms: Terms): CallParameters =>
    Object.fromEntries(Object.entries({ ...limit(terms), ...change }).filter(([name]) => !without.includes(name)))
export const symbolOnly = ({ symbol }: Terms): CallParameters => ({ symbol })
export const WEIGHT: readonly string[] = ['x-mbx-used-weight-1m']
export const ORDER_COUNT: readonly string[] = ['x-mbx-order-count-10s', 'x-mbx-order-count-1d']

/** A public call that answers. */
export const open = (
  name: string,
  path: string,
  parameters: ContractCase['parameters'],
  body: Shape,
): ContractCase => ({
  name,
  method: 'GET',
  path,
  ...(parameters === undefined ? {} : { parameters }),
  status: 200,
  body,
  headers: WEIGHT,
})
/** A call that is refused. */
export const wrong = (
  name: string,
  call: Pick<ContractCase, 'method' | 'path' | 'parameters'> & Partial<ContractCase>,
  code: number,
  msg: string,
): ContractCase => ({ name, status: 400, ...call, code, msg })
/** An order that is refused. */
export const refusedOrder = (
  name: string,
  parameters: ContractCase['parameters'],
  code: number,
  msg: string,
  more: Partial<ContractCase> = {},
): ContractCase => wrong(name, { method: 'POST', path: 'order/test', parameters, signed: true, ...more }, code, msg)
