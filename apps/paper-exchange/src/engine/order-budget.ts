import { refusal, type ExchangeError } from './result.ts'
import type { OrderCountLimit } from './order-answers.ts'

const TEN_SECONDS_MS = 10_000
const DAY_MS = 86_400_000

/** Unfilled orders of one account in fixed windows of server time (UTC days). */
export interface OrderBudget {
  /** -1015 while a window is full. */
  check(nowMs: number): ExchangeError | undefined
  add(nowMs: number): void
  /** An order's first fill gives back 1 as taker, 5 as maker, in the present windows, down to 0. */
  giveBack(nowMs: number, role: 'taker' | 'maker'): void
  count(nowMs: number): { tenSeconds: number; day: number }
  describe(nowMs: number): OrderCountLimit[]
}

export function createOrderBudget(limits: { tenSeconds: number; day: number }): OrderBudget {
  const short = createWindow(TEN_SECONDS_MS)
  const long = createWindow(DAY_MS)

  return {
    check: nowMs => {
      if (short.count(nowMs) >= limits.tenSeconds) {
        return tooMany(`${limits.tenSeconds} orders per 10 SECOND`, short.leftMs(nowMs))
      }
      if (long.count(nowMs) >= limits.day) return tooMany(`${limits.day} orders per 1 DAY`, long.leftMs(nowMs))
      return undefined
    },
    add: nowMs => {
      short.move(nowMs, 1)
      long.move(nowMs, 1)
    },
    giveBack: (nowMs, role) => {
      const back = role === 'taker' ? -1 : -5
      short.move(nowMs, back)
      long.move(nowMs, back)
    },
    count: nowMs => ({ tenSeconds: short.count(nowMs), day: long.count(nowMs) }),
    describe: nowMs => [
      {
        rateLimitType: 'ORDERS',
        interval: 'SECOND',
        intervalNum: 10,
        limit: limits.tenSeconds,
        count: short.count(nowMs),
      },
      { rateLimitType: 'ORDERS', interval: 'DAY', intervalNum: 1, limit: limits.day, count: long.count(nowMs) },
    ],
  }
}

function tooMany(limit: string, retryAfterMs: number): ExchangeError {
  return refusal(-1015, `Too many new orders; current limit is ${limit}.`, { status: 429, retryAfterMs }).error
}

interface CountWindow {
  count(nowMs: number): number
  move(nowMs: number, by: number): void
  leftMs(nowMs: number): number
}

function createWindow(lengthMs: number): CountWindow {
  let index = -1
  let used = 0
  const roll = (nowMs: number): void => {
    const present = Math.floor(nowMs / lengthMs)
    if (present !== index) {
      index = present
      used = 0
    }
  }
  return {
    count: nowMs => {
      roll(nowMs)
      return used
    },
    move: (nowMs, by) => {
      roll(nowMs)
      used = Math.max(0, used + by)
    },
    leftMs: nowMs => (Math.floor(nowMs / lengthMs) + 1) * lengthMs - nowMs,
  }
}
