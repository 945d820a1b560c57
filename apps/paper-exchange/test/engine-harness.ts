import { createExchangeEngine } from '../src/engine/create-exchange-engine.ts'
import type {
  EngineOptions,
  ExchangeEngine,
  MarketNotice,
  OrderRequest,
  SubmittedOrder,
  UserNotice,
} from '../src/engine/exchange-engine.ts'
import type { Result } from '../src/engine/result.ts'
import { createTimeline, type Timeline } from '../src/engine/timeline.ts'
import type { ExecutionReport } from '../src/engine/user-events.ts'
import { createTruthLog } from '../src/truth/truth-log.ts'

/** Server time at which a manual clock starts: one minute after the history's last bar opens. */
export const START_MS = 1_700_000_100_000

export const BALANCES = { USDT: '100000', BTC: '2', ETH: '20', BNB: '100' } as const

export interface Harness {
  readonly engine: ExchangeEngine
  readonly timeline: Timeline
  /** The truth log's lines as written. */
  readonly lines: string[]
  readonly user: UserNotice[]
  readonly market: MarketNotice[]
  /** Fills in account and symbol. */
  readonly order: (request: Partial<OrderRequest>) => Result<SubmittedOrder>
  /** The same, which must be accepted. */
  readonly accepted: (request: Partial<OrderRequest>) => SubmittedOrder
  /** The same, which must be refused. */
  readonly refused: (request: Partial<OrderRequest>) => {
    code: number
    msg: string
    status?: number
    retryAfterMs?: number
  }
  readonly best: (symbol?: string) => { bid: string; ask: string }
  readonly reports: () => ExecutionReport[]
  readonly free: (asset: string, account?: string) => string
  readonly locked: (asset: string, account?: string) => string
}

export function createHarness(options: Partial<EngineOptions> & { accounts?: readonly string[] } = {}): Harness {
  const { accounts = ['demo'], ...rest } = options
  const timeline = rest.timeline ?? createTimeline({ mode: 'manual', startMs: START_MS })
  const lines: string[] = []
  const truth = createTruthLog({ nowMs: () => timeline.nowMs(), sink: line => lines.push(line) })
  const engine = createExchangeEngine({ seed: '1', truth, ...rest, timeline })
  const user: UserNotice[] = []
  const market: MarketNotice[] = []
  engine.onUserEvent(notice => user.push(notice))
  engine.onMarketEvent(notice => market.push(notice))
  for (const name of accounts) must(engine.addAccount({ name, balances: BALANCES }))

  const order: Harness['order'] = request =>
    engine.submitOrder({ account: 'demo', symbol: 'BTCUSDT', side: 'BUY', type: 'LIMIT', ...request })
  const balance = (asset: string, account: string): { free: string; locked: string } =>
    must(engine.state(account)).balances[asset] ?? { free: '0.00000000', locked: '0.00000000' }
  return {
    engine,
    timeline,
    lines,
    user,
    market,
    order,
    accepted: request => must(order(request)),
    refused: request => {
      const result = order(request)
      if (result.ok) throw new Error(`order ${result.value.orderId} was accepted`)
      return result.error
    },
    best: (symbol = 'BTCUSDT') => {
      const ticker = must(engine.bookTicker(symbol))
      return { bid: ticker.bidPrice, ask: ticker.askPrice }
    },
    reports: () => user.flatMap(({ event }) => (event.e === 'executionReport' ? [event] : [])),
    free: (asset, account = 'demo') => balance(asset, account).free,
    locked: (asset, account = 'demo') => balance(asset, account).locked,
  }
}

export function must<T>(result: Result<T>): T {
  if (result.ok) return result.value
  throw new Error(`${result.error.code} ${result.error.msg}`)
}

export function refusalOf<T>(result: Result<T>): { code: number; msg: string } {
  if (result.ok) throw new Error('was not refused')
  return { code: result.error.code, msg: result.error.msg }
}
