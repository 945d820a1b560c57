import { defineScript, type ReplyReader, type Script } from '@safety/redis-core'

const keys = ['baseline', 'ledger', 'trades', 'positions', 'meta', 'halts'] as const
const args = {
  /** JSON object: asset to balance in 1e-8 units, as text. */
  balances: 'text',
  /** Server time of the exchange at which they were true. */
  atMs: 'integer',
  /** 1: replace an older baseline, begin a new ledger, and lift the halt of an account reset. */
  accept: 'integer',
  who: 'text',
  why: 'text',
} as const

/** Notes the balances a book begins with. Without `accept` the first caller wins; answers whether it was this one. */
export const baselineScript: Script<typeof keys, typeof args, boolean> = defineScript({
  name: 'trader.baseline',
  keys,
  args,
  reply: (reply: ReplyReader) => reply.integer() === 1,
  lua: `
if accept == 0 and redis.call('HEXISTS', meta, 'baselineAtMs') == 1 then return { 0 } end
redis.call('HLEN', baseline) redis.call('HLEN', halts) redis.call('HLEN', meta)
local assets = cjson.decode(balances)
redis.call('DEL', baseline)
if accept == 1 then
  redis.call('DEL', ledger, trades, positions)
  redis.call('HDEL', halts, 'account-reset')
end
for asset, units in pairs(assets) do redis.call('HSET', baseline, asset, units) end
redis.call('HSET', meta, 'baselineAtMs', string.format('%.0f', atMs), 'baselineBy', who, 'baselineWhy', why)
redis.call('HDEL', meta, 'reconciledAtMs')
return { 1 }
`,
})
