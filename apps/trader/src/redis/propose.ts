import { defineScript, type ReplyReader, type Script } from '@safety/redis-core'
import { journalLua } from './journal-lua.ts'

const keys = ['intent', 'open', 'exposure', 'doubts', 'counts', 'index'] as const
const args = {
  id: 'text',
  symbol: 'text',
  keepMs: 'integer',
  strategy: 'text',
  barOpenMs: 'integer',
  leg: 'text',
  seq: 'integer',
  side: 'text',
  kind: 'text',
  quantity: 'text',
  price: 'text',
  validUntilMs: 'integer',
  missed: 'integer',
} as const

export interface Proposed {
  readonly created: boolean
  readonly state: string
  readonly reason: string
  readonly validUntilMs: number
}

/** Puts an intent in the journal unless it is there: PROPOSED, or DENIED(missed) when it comes too late. */
export const proposeScript: Script<typeof keys, typeof args, Proposed> = defineScript({
  name: 'trader.propose',
  keys,
  args,
  reply: (reply: ReplyReader) => ({
    created: reply.integer() === 1,
    state: reply.text(),
    reason: reply.text(),
    validUntilMs: reply.integer(),
  }),
  lua: `${journalLua}
redis.call('ZCARD', index)
local state = field('state')
if state ~= '' then return { 0, state, field('reason'), tonumber(field('validUntilMs')) } end
redis.call('HSET', intent, 'id', id, 'strategy', strategy, 'symbol', symbol, 'barOpenMs', whole(barOpenMs), 'leg', leg,
  'seq', whole(seq), 'side', side, 'type', kind, 'quantity', quantity, 'price', price,
  'validUntilMs', whole(validUntilMs), 'proposedMs', whole(nowMs))
redis.call('ZADD', index, whole(nowMs), id)
redis.call('ZREMRANGEBYSCORE', index, '-inf', whole(nowMs - keepMs))
local to, reason = 'PROPOSED', ''
if missed == 1 then to, reason = 'DENIED', 'missed' end
move('', to, reason, 'strategy')
keep()
return { 1, to, reason, validUntilMs }
`,
})
