import { describe, expect, test } from 'vitest'
import { symbolRules } from './exchange/filters.ts'
import type { Intent, Leg } from './orders/intent.ts'
import { refusalOf } from './risk.ts'

const rules = symbolRules({
  symbol: 'BTCUSDT',
  status: 'TRADING',
  baseAsset: 'BTC',
  quoteAsset: 'USDT',
  filters: [],
})

function intent(leg: Leg): Intent {
  const name = { strategy: 'pulse', symbol: 'BTCUSDT', barOpenMs: 0, leg, seq: 0 } as const
  return { ...name, id: 'X', side: 'BUY', type: 'MARKET', quantity: '1', price: '1', validUntilMs: 1 }
}

describe('what one worker can judge alone', () => {
  test('a hold-off denies entries and lets exits and flattening pass', () => {
    const view = { rules, silentMs: 0, staleDataMs: 1, holdOff: true }
    expect(refusalOf(intent('entry'), view)).toBe('redis-hold-off')
    expect(refusalOf(intent('exit'), view)).toBeUndefined()
    expect(refusalOf(intent('flatten'), view)).toBeUndefined()
    expect(refusalOf(intent('entry'), { ...view, holdOff: false })).toBeUndefined()
  })
})
