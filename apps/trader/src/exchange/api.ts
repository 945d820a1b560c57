import type { Clock } from '@safety/redis-core'
import type { Fill } from '../ledger/fill.ts'
import { cancelIdOf, type Intent } from '../orders/intent.ts'
import type { Bar } from '../strategy/strategy.ts'
import type { ClockSync } from './clock-sync.ts'
import { symbolRules, type SymbolRules } from './filters.ts'
import type { Gate } from './gate.ts'
import type { Counted, Guard } from '../safety.ts'
import { breakerReason, classify, gateReason, verdictOn, type CallKind, type Outcome } from './outcome.ts'
import type { RestAnswer, RestCall, RestClient } from './rest-client.ts'
import { read, type OrderAnswer, type OrderView } from './wire.ts'

/** How a call ended, with what it brought when it is OK. */
export type Answer<T> =
  | { readonly ok: true; readonly value: T; readonly outcome: Outcome; readonly elapsedMs: number }
  | { readonly ok: false; readonly outcome: Outcome; readonly message: string | undefined; readonly elapsedMs: number }

export interface Window {
  /** Server time, epoch milliseconds. */
  readonly startTime: number
}

/**
 * The calls the trader makes. Each passes the gate first; a closed gate is REFUSED with reason `GATE`, and nothing is sent.
 * Queries pass a breaker too, whose refusal has the reason `BREAKER`; orders are guarded where they are dispatched.
 */
export interface ExchangeApi {
  serverTime(): Promise<number | undefined>
  exchangeInfo(
    symbols: readonly string[],
  ): Promise<Answer<{ rules: SymbolRules[]; weightPerMinute: number | undefined }>>
  klines(symbol: string, query: { startTime?: number; limit: number }): Promise<Answer<(Bar & { closeMs: number })[]>>
  account(): Promise<Answer<{ asset: string; free: string; locked: string }[]>>
  order(symbol: string, clientOrderId: string): Promise<Answer<OrderView>>
  orderById(symbol: string, orderId: string): Promise<Answer<OrderView>>
  openOrders(symbol: string): Promise<Answer<OrderView[]>>
  /** All orders since `startTime`, page by page. */
  allOrders(symbol: string, window: Window): Promise<Answer<OrderView[]>>
  /** All own trades since `startTime`, page by page. */
  myTrades(symbol: string, window: Window): Promise<Answer<Fill[]>>
  tradesOfOrder(symbol: string, orderId: string): Promise<Answer<Fill[]>>
  cancel(symbol: string, id: string): Promise<Answer<Omit<OrderAnswer, 'fills'>>>
  /** Sends an order that dispatch has let pass; it does not ask the gate again. */
  place(intent: Intent, signedAtMs: number, options?: { signal?: AbortSignal }): Promise<Answer<OrderAnswer>>
}

export interface ApiOptions {
  readonly rest: RestClient
  readonly clockSync: () => ClockSync
  readonly gate: Gate
  /** Stands in front of every query. */
  readonly reads: Guard
  readonly clock: Clock
  readonly recvWindowMs: number
  readonly permitMs: number
  /** The exchange closed the gate, or a call met something a person should hear of. */
  readonly onAlert: (outcome: Outcome, path: string) => void
  /** A call has to wait longer than a second for the gate or the weight of this minute. */
  readonly onLongWait: (waitMs: number) => void
  readonly onError: (error: unknown) => void
}

const longWaitMs = 1000
const pageSize = 1000
const dayMs = 86_400_000

interface Sender {
  call<T>(
    call: RestCall,
    kind: CallKind,
    weight: number | undefined,
    decode: (body: unknown) => T | undefined,
    options?: { signal?: AbortSignal },
  ): Promise<Answer<T>>
}

function createSender(options: ApiOptions): Sender {
  const { rest, gate, clock } = options

  async function waitForPermit(weight: number): Promise<number> {
    for (;;) {
      const askedMs = clock.monotonic()
      const waitMs = await gate.acquire(weight)
      if (waitMs > 0) return waitMs
      if (clock.monotonic() - askedMs <= options.permitMs) return 0
    }
  }

  async function learn(outcome: Outcome, path: string): Promise<void> {
    if (outcome.alert) options.onAlert(outcome, path)
    if (outcome.class !== 'REFUSED' && outcome.class !== 'BANNED') return
    try {
      await gate.close(outcome.retryAfterMs ?? 1000, outcome.reason)
    } catch (error) {
      // It is closed in this process; the others will be told by their own 429.
      options.onError(error)
    }
  }

  function sign(call: RestCall): RestCall {
    if (call.auth !== 'signed') return call
    const timestampMs = call.timestampMs ?? options.clockSync().now()
    return { ...call, timestampMs, recvWindowMs: options.recvWindowMs }
  }

  return {
    async call<T>(
      call: RestCall,
      kind: CallKind,
      weight: number | undefined,
      decode: (body: unknown) => T | undefined,
      { signal }: { signal?: AbortSignal } = {},
    ) {
      const waitMs = weight === undefined ? gate.closedMs() : await waitForPermit(weight)
      if (waitMs > 0) {
        if (waitMs > longWaitMs) options.onLongWait(waitMs)
        return heldBack(gateReason, waitMs)
      }
      const send = async (): Promise<Counted<Answer<T>>> => {
        const answer = answerOf(await rest.send(sign(call), signal === undefined ? {} : { signal }), kind, decode)
        return { counts: verdictOn(answer.outcome), value: answer }
      }
      const passed =
        kind === 'query' ? await options.reads(send) : { open: false as const, value: (await send()).value }
      if (passed.open) return heldBack(breakerReason, passed.retryAfterMs)
      await learn(passed.value.outcome, call.path)
      return passed.value
    },
  }
}

/** What an answer says. One that is not of the documented shape says nothing, however well it was sent. */
function answerOf<T>(
  { facts, body, elapsedMs }: RestAnswer,
  kind: CallKind,
  decode: (body: unknown) => T | undefined,
): Answer<T> {
  const outcome = classify(facts, kind)
  if (outcome.class !== 'OK') return { ok: false, outcome, message: facts.message, elapsedMs }
  const value = decode(body)
  if (value !== undefined) return { ok: true, value, outcome, elapsedMs }
  const unreadable: Outcome = { class: 'UNKNOWN', reason: 'UNREADABLE', retryAfterMs: undefined, alert: true }
  return { ok: false, outcome: unreadable, message: undefined, elapsedMs }
}

/** Nothing was sent. */
function heldBack(reason: string, retryAfterMs: number): Answer<never> {
  const outcome: Outcome = { class: 'REFUSED', reason, retryAfterMs, alert: false }
  return { ok: false, outcome, message: undefined, elapsedMs: 0 }
}

/** Reads page after page until a page is not full; windows of the exchange end after 24 hours. */
async function pages<T>(
  window: Window,
  nowMs: number,
  page: (query: { startTime: number; endTime: number }) => Promise<Answer<T[]>>,
  timeOf: (item: T) => number,
  keyOf: (item: T) => string,
): Promise<Answer<T[]>> {
  const found = new Map<string, T>()
  let startTime = Math.max(0, Math.floor(window.startTime))
  for (;;) {
    const endTime = startTime + dayMs - 1
    const answer = await page({ startTime, endTime })
    if (!answer.ok) return answer
    for (const item of answer.value) found.set(keyOf(item), item)
    const last = answer.value.at(-1)
    if (answer.value.length >= pageSize && last !== undefined && timeOf(last) > startTime) startTime = timeOf(last)
    else if (endTime < nowMs) startTime = endTime + 1
    else return { ...answer, value: [...found.values()] }
  }
}

function orderParams(intent: Intent): Record<string, string> {
  const base = {
    symbol: intent.symbol,
    side: intent.side,
    type: intent.type,
    quantity: intent.quantity,
    newClientOrderId: intent.id,
    newOrderRespType: 'FULL',
  }
  return intent.type === 'LIMIT' ? { ...base, timeInForce: 'GTC', price: intent.price } : base
}

function createQueries(
  sender: Sender,
  options: ApiOptions,
): Omit<ExchangeApi, 'place' | 'cancel' | 'serverTime' | 'exchangeInfo' | 'klines'> {
  const query = <T>(
    path: string,
    params: RestCall['params'],
    weight: number,
    decode: (body: unknown) => T | undefined,
  ): Promise<Answer<T>> =>
    sender.call({ method: 'GET', path, params: params ?? {}, auth: 'signed' }, 'query', weight, decode)
  const nowMs = (): number => options.clockSync().now()
  return {
    account: () => query('/api/v3/account', { omitZeroBalances: 'false' }, 20, read.balances),
    order: (symbol, origClientOrderId) => query('/api/v3/order', { symbol, origClientOrderId }, 4, read.order),
    orderById: (symbol, orderId) => query('/api/v3/order', { symbol, orderId }, 4, read.order),
    openOrders: symbol => query('/api/v3/openOrders', { symbol }, 6, read.orders),
    allOrders: (symbol, window) =>
      pages(
        window,
        nowMs(),
        times => query('/api/v3/allOrders', { symbol, ...times, limit: pageSize }, 20, read.orders),
        order => order.timeMs,
        order => order.orderId,
      ),
    myTrades: (symbol, window) =>
      pages(
        window,
        nowMs(),
        times => query('/api/v3/myTrades', { symbol, ...times, limit: pageSize }, 20, read.trades),
        fill => fill.timeMs,
        fill => fill.tradeId,
      ),
    tradesOfOrder: (symbol, orderId) => query('/api/v3/myTrades', { symbol, orderId }, 5, read.trades),
  }
}

/** Builds the calls on one REST client, one gate and the exchange's clock. */
export function createExchangeApi(options: ApiOptions): ExchangeApi {
  const sender = createSender(options)
  const open = (path: string, params: RestCall['params']): RestCall => ({
    method: 'GET',
    path,
    params: params ?? {},
    auth: 'none',
  })
  return {
    ...createQueries(sender, options),
    async serverTime() {
      const answer = await sender.call(open('/api/v3/time', {}), 'query', 1, read.time)
      return answer.ok ? answer.value.serverTime : undefined
    },
    async exchangeInfo(symbols) {
      const call = open('/api/v3/exchangeInfo', { symbols: JSON.stringify(symbols) })
      const answer = await sender.call(call, 'query', 20, read.info)
      if (!answer.ok) return answer
      const limit = answer.value.rateLimits.find(
        rule => rule.rateLimitType === 'REQUEST_WEIGHT' && rule.interval === 'MINUTE',
      )
      return { ...answer, value: { rules: answer.value.symbols.map(symbolRules), weightPerMinute: limit?.limit } }
    },
    klines: (symbol, query) =>
      sender.call(open('/api/v3/klines', { symbol, interval: '1m', ...query }), 'query', 2, read.klines),
    cancel: (symbol, id) =>
      sender.call(
        {
          method: 'DELETE',
          path: '/api/v3/order',
          params: { symbol, origClientOrderId: id, newClientOrderId: cancelIdOf(id) },
          auth: 'signed',
        },
        'cancel',
        1,
        read.cancelAnswer,
      ),
    place: (intent, timestampMs, send) =>
      sender.call(
        { method: 'POST', path: '/api/v3/order', params: orderParams(intent), auth: 'signed', timestampMs },
        'order',
        undefined,
        read.orderAnswer,
        send,
      ),
  }
}
