import { join } from 'node:path'
import type { NaiveInit } from '../naive/naive-init.ts'
import type { ExchangeAddress } from './exchange-control.ts'
import { DEMO_SYMBOLS, type DemoOptions } from './options.ts'
import type { SideName } from './result.ts'
import { STRATEGY, TIMING, type TradingWindow } from './setting.ts'

/** Limits of the risk section that a load of this kind never reaches, so that every intent meets the storm. */
const OPEN_LIMITS = {
  maxOrderNotional: '1000',
  maxSymbolExposure: '1000000',
  maxTotalExposure: '1000000',
  maxOpenOrders: 1000,
  maxOrdersPerMinute: 100_000,
  priceCollar: '0.5',
  maxDailyLoss: '1000000',
} as const

const ORDER_NOTIONAL = '100'

/** How the naive workers split the symbols. */
export const NAIVE_SPLIT: readonly [readonly string[], readonly string[]] = [['BTCUSDT', 'BNBUSDT'], ['ETHUSDT']]

function keysOf(address: ExchangeAddress, account: SideName): { apiKey: string; apiSecret: string } {
  const found = address.accounts.find(({ name }) => name === account)
  if (found === undefined) throw new Error(`the paper exchange has no account ${account}`)
  return { apiKey: found.apiKey, apiSecret: found.secret }
}

/** The workers of the naive side and what each is told. */
export function naiveWorkers(
  address: ExchangeAddress,
  window: TradingWindow,
  folder: string,
): { name: string; bookFile: string; init(process: string): NaiveInit }[] {
  return NAIVE_SPLIT.map((symbols, at) => {
    const name = `naive-${at + 1}`
    const bookFile = join(folder, `${name}.jsonl`)
    return {
      name,
      bookFile,
      init: process => ({
        type: 'init',
        worker: process,
        rest: address.rest,
        streams: address.streams,
        ...keysOf(address, 'naive'),
        strategy: STRATEGY,
        symbols,
        fromBarMs: window.fromBarMs,
        untilBarMs: window.untilBarMs,
        bookFile,
        settings: {
          requestTimeoutMs: TIMING.requestTimeoutMs,
          recvWindowMs: TIMING.recvWindowMs,
          orderNotional: ORDER_NOTIONAL,
        },
      }),
    }
  })
}

/** The workers of the guarded side; each of them runs every intent. */
export function guardedWorkers(input: {
  address: ExchangeAddress
  window: TradingWindow
  redisUrl: string
  book: string
  mutant: DemoOptions['mutant']
  folder: string
}): { name: string; init(process: string): object }[] {
  const { address, window, redisUrl, book, mutant, folder } = input
  return [1, 2].map(number => ({
    name: `guarded-${number}`,
    init: process => ({
      type: 'init',
      worker: process,
      mutant: mutant ?? null,
      redisUrl,
      rest: address.rest,
      wsApi: address.wsApi,
      streams: address.streams,
      ...keysOf(address, 'guarded'),
      book,
      strategy: STRATEGY,
      symbols: DEMO_SYMBOLS,
      fromBarMs: window.fromBarMs,
      untilBarMs: window.untilBarMs,
      settings: {
        ...TIMING,
        ...OPEN_LIMITS,
        orderNotional: ORDER_NOTIONAL,
        onUnknown: 'count',
        stateDir: folder,
      },
    }),
  }))
}
