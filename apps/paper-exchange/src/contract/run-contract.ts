import { Big } from 'big.js'
import { createToken } from '@safety/redis-core'
import type { Clock } from '@safety/redis-core'
import { CONTRACT_CASES } from './cases.ts'
import type { CallParameters, ContractCase, Terms } from './contract-case.ts'
import { compareShape } from './shape.ts'
import type { Mismatch } from './shape.ts'
import { openVenue } from './venue.ts'
import type { ContractAnswer, Venue, VenueLine } from './venue.ts'

/** One place where a venue does not keep the contract. */
export interface Difference extends Mismatch {
  venue: string
  case: string
}

const SYMBOL = 'BTCUSDT'
/** In quote asset, above the smallest order of every venue. */
const ORDER_WORTH = 20

/** Runs every case against one venue. Whatever it has placed is cancelled, also when a case cannot be run. */
export async function runContract(venue: Venue, clock: Clock): Promise<{ cases: number; differences: Difference[] }> {
  const line = await openVenue(venue, clock)
  try {
    const terms = await readTerms(venue, line)
    const placed: { orderId?: number } = {}
    const differences: Difference[] = []
    for (const contractCase of CONTRACT_CASES) {
      const { nowMs } = await serverTime(line)
      const parameters = resolve(contractCase, { ...terms, nowMs }, placed.orderId)
      const answer = await line.call(contractCase, parameters)
      if (contractCase.name.startsWith('order placed') && placed.orderId === undefined) {
        const orderId = (answer.body as { orderId?: unknown } | undefined)?.orderId
        if (typeof orderId === 'number') placed.orderId = orderId
      }
      for (const mismatch of judge(contractCase, answer)) {
        differences.push({ venue: venue.name, case: contractCase.name, ...mismatch })
      }
    }
    return { cases: CONTRACT_CASES.length, differences }
  } finally {
    await cleanUp(line)
    line.close()
  }
}

function judge(contractCase: ContractCase, { status, body, headers }: ContractAnswer): Mismatch[] {
  const found: Mismatch[] = []
  const expect = (path: string, expected: unknown, actual: unknown): void => {
    if (expected !== actual) found.push({ path, expected: String(expected), actual: String(actual) })
  }
  expect('status', contractCase.status, status)
  const { code, msg } = (typeof body === 'object' && body !== null ? body : {}) as { code?: unknown; msg?: unknown }
  if (contractCase.code !== undefined) expect('code', contractCase.code, code)
  if (contractCase.msg !== undefined) expect('msg', contractCase.msg, msg)
  if (contractCase.body !== undefined) found.push(...compareShape(contractCase.body, body, 'body'))
  for (const name of contractCase.headers ?? []) {
    if (headers[name] === undefined) found.push({ path: `headers.${name}`, expected: 'present', actual: 'missing' })
  }
  return found
}

function resolve(contractCase: ContractCase, terms: Terms, orderId: number | undefined): CallParameters {
  const asked = contractCase.parameters?.(terms) ?? {}
  const parameters = Object.fromEntries(
    Object.entries(asked).map(([name, value]) => [name, value === '$order' ? (orderId ?? 0) : value]),
  )
  return contractCase.signed === true ? { timestamp: terms.nowMs, ...parameters } : parameters
}

async function readTerms(venue: Venue, line: VenueLine): Promise<Omit<Terms, 'nowMs'>> {
  const asked = { name: 'price', method: 'GET', path: 'avgPrice', status: 200 }
  const { body } = await line.call(asked, { symbol: SYMBOL })
  const price = (body as { price?: unknown } | undefined)?.price
  if (typeof price !== 'string') throw new Error(`${venue.name}: avgPrice of ${SYMBOL} has no price`)
  const farPrice = Big(price).times(0.5).round(0, Big.roundDown)
  return {
    symbol: SYMBOL,
    farPrice: farPrice.toFixed(2),
    highPrice: Big(price).times(1.5).round(0, Big.roundDown).toFixed(2),
    quantity: Big(ORDER_WORTH).div(farPrice).round(5, Big.roundUp).toFixed(5),
    hugeQuantity: Big(8_000_000).div(farPrice).round(5, Big.roundDown).toFixed(5),
    prefix: `ct-${createToken().replaceAll('_', '-')}-`,
  }
}

async function serverTime(line: VenueLine): Promise<{ nowMs: number }> {
  const { body } = await line.call({ name: 'time', method: 'GET', path: 'time', status: 200 }, {})
  return { nowMs: Number((body as { serverTime?: unknown } | undefined)?.serverTime ?? 0) }
}

/** Nothing of the suite stays in the book; with nothing left to cancel the refusal is what is wanted. */
async function cleanUp(line: VenueLine): Promise<void> {
  const { nowMs } = await serverTime(line)
  const cancelAll: ContractCase = { name: 'clean up', method: 'DELETE', path: 'openOrders', signed: true, status: 200 }
  await line.call(cancelAll, { timestamp: nowMs, symbol: SYMBOL })
}
