import { defineScript, type ReplyReader, type Script } from '@safety/redis-core'
import { journalLua } from './journal-lua.ts'

const keys = ['intent', 'open', 'exposure', 'doubts', 'counts', 'trades', 'ledger', 'positions', 'meta'] as const
const args = {
  id: 'text',
  symbol: 'text',
  keepMs: 'integer',
  tradeId: 'text',
  timeMs: 'integer',
  baseAsset: 'text',
  quoteAsset: 'text',
  feeAsset: 'text',
  /** Signed changes in 1e-8 units. */
  baseUnits: 'text',
  quoteUnits: 'text',
  feeUnits: 'text',
  /** Unsigned quantity in 1e-8 units. */
  filledUnits: 'text',
  /** How the fill is written down with its intent. */
  line: 'text',
} as const

export type FillResult = 'applied' | 'known' | 'before-baseline'

/** Takes a trade once, from whichever source it comes first, and moves the balances of the book by it. */
export const applyFillScript: Script<typeof keys, typeof args, FillResult> = defineScript({
  name: 'trader.apply-fill',
  keys,
  args,
  reply: (reply: ReplyReader): FillResult => {
    const result = reply.text()
    return result === 'applied' || result === 'known' ? result : 'before-baseline'
  },
  lua: `${journalLua}
redis.call('HLEN', ledger) redis.call('HLEN', positions)
local member = symbol .. ':' .. tradeId
local baselineAtMs = tonumber(redis.call('HGET', meta, 'baselineAtMs')) or 0
local forgottenMs = nowMs - keepMs - 86400000
if timeMs <= baselineAtMs then return { 'before-baseline' } end
if redis.call('ZSCORE', trades, member) then return { 'known' } end
-- Changes of other assets are told apart by name; the fee may be in base, in quote, or in a third asset.
redis.call('ZADD', trades, whole(nowMs), member)
redis.call('ZREMRANGEBYSCORE', trades, '-inf', whole(forgottenMs))
redis.call('HINCRBY', ledger, baseAsset, baseUnits)
redis.call('HINCRBY', ledger, quoteAsset, quoteUnits)
redis.call('HINCRBY', ledger, feeAsset, feeUnits)
redis.call('HINCRBY', counts, 'ledgerVersion', 1)
if field('state') ~= '' then
  redis.call('HINCRBY', intent, 'filled', filledUnits)
  redis.call('HSET', intent, 'fill:' .. tradeId, line)
  if field('leg') == 'entry' and redis.call('HGET', positions, symbol) ~= id then
    redis.call('HSET', positions, symbol, id, symbol .. ':net', '0')
  end
  redis.call('HINCRBY', positions, symbol .. ':net', baseUnits)
  if feeAsset == baseAsset then redis.call('HINCRBY', positions, symbol .. ':net', feeUnits) end
  keep()
end
return { 'applied' }
`,
})
