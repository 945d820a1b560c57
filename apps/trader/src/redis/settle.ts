import { defineScript, type ReplyReader, type Script } from '@safety/redis-core'
import { journalLua } from './journal-lua.ts'

const keys = ['intent', 'open', 'exposure', 'doubts', 'counts', 'order', 'rejections', 'stop'] as const
const args = {
  id: 'text',
  symbol: 'text',
  keepMs: 'integer',
  /** The state asked for. */
  to: 'text',
  reason: 'text',
  by: 'text',
  /** Text of the exchange, for telling identical refusals apart; '' for none. */
  detail: 'text',
  /** '' when no order is known. */
  orderId: 'text',
  /** Cumulative quantity in 1e-8 units, '' when not known. */
  executed: 'text',
  /** Of the claim this report comes from; 0 for a report that needs none. */
  fence: 'integer',
  /**
   * Server time of the exchange at which it was reserved. For ABSENT: what the request whose absence is proven was
   * signed with, 0 for "nothing was signed", -1 when the executor itself says that nothing was taken.
   */
  atMs: 'integer',
  stopAfter: 'integer',
  stopMs: 'integer',
  /** STUCK is taken only after this long in doubt. */
  stuckAfterMs: 'integer',
} as const

export interface Settled {
  /** The state moved. */
  readonly changed: boolean
  readonly from: string
  readonly state: string
  readonly reason: string
  /** A second order of this intent was seen for the first time. */
  readonly duplicate: boolean
  /** This refusal was the third identical one: the symbol is stopped. */
  readonly stopped: boolean
  /** Milliseconds the intent was in doubt, 0 if it was not. */
  readonly doubtMs: number
  readonly orderId: string
}

/** Moves an intent by a report about it, if the report says more than is known; records order and quantity in any case. */
export const settleScript: Script<typeof keys, typeof args, Settled> = defineScript({
  name: 'trader.settle',
  keys,
  args,
  reply: (reply: ReplyReader) => ({
    changed: reply.integer() === 1,
    from: reply.text(),
    state: reply.text(),
    reason: reply.text(),
    duplicate: reply.integer() === 1,
    stopped: reply.integer() === 1,
    doubtMs: reply.integer(),
    orderId: reply.text(),
  }),
  lua: `${journalLua}
redis.call('STRLEN', order) redis.call('HLEN', rejections) redis.call('STRLEN', stop)
local from = field('state')
if from == '' then return { 0, '', '', '', 0, 0, 0, '' } end
local closed, known = tonumber(field('closedFence')) or 0, tonumber(field('fence')) or 0

-- A proof speaks of one signature; if there is a newer one by now, it proves nothing.
local signed = tonumber(field('signedAtMs')) or 0
local proven = to == 'ABSENT' and rank[from] <= 3 and (atMs == -1 or atMs == signed)

local function allowed()
  if rank[to] >= 5 then return rank[to] > rank[from] end
  if fence > 0 and fence < known then return false end
  if to == 'RESERVED' then
    if fence == 0 then return rank[from] < 4 end
    return fence > closed and (from == 'PROPOSED' or from == 'ABSENT' or (from == 'RESERVED' and fence == known))
  end
  if to == 'UNKNOWN' then return from == 'RESERVED' or from == 'SENT' end
  if to == 'STUCK' then
    return from == 'UNKNOWN' and nowMs - (tonumber(field('doubtSinceMs')) or nowMs) >= stuckAfterMs
  end
  -- What the idempotency record says is final; the journal follows it from wherever it stands.
  if rank[to] == 4 and by == 'record' then return rank[from] < 4 end
  if to == 'ABSENT' then return proven and from ~= 'ABSENT' and rank[from] >= 1 end
  if to == 'DENIED' then return from == 'PROPOSED' end
  if to == 'REJECTED' then return rank[from] >= 1 and rank[from] <= 3 end
  return false
end

local duplicate, stopped, doubtMs = 0, 0, 0
local held = field('orderId')
if orderId ~= '' then
  if held == '' then
    redis.call('HSET', intent, 'orderId', orderId)
    held = orderId
  elseif held ~= orderId and redis.call('HSETNX', intent, 'extra:' .. orderId, '1') == 1 then
    redis.call('HINCRBY', counts, 'duplicates', 1)
    duplicate = 1
  end
  redis.call('SET', order, id, 'PX', keepMs)
  redis.call('HDEL', rejections, symbol)
end
if executed ~= '' and held == orderId and above(executed, field('executed')) then
  redis.call('HSET', intent, 'executed', executed)
end

local changed = 0
if allowed() then
  changed = 1
  if inDoubt(from) then doubtMs = math.max(0, nowMs - (tonumber(field('doubtSinceMs')) or nowMs)) end
  move(from, to, reason, by)
  if to == 'RESERVED' then
    redis.call('HSET', intent, 'fence', whole(fence), 'reservedAtMs', whole(atMs))
    redis.call('HDEL', intent, 'notFoundAtMs')
  end
  if to == 'REJECTED' then
    redis.call('HSET', intent, 'detail', detail)
    local same = reason .. '|' .. detail
    local last, times = string.match(redis.call('HGET', rejections, symbol) or '', '^(.*)#(%d+)$')
    times = last == same and tonumber(times) + 1 or 1
    redis.call('HSET', rejections, symbol, same .. '#' .. whole(times))
    if stopAfter > 0 and times >= stopAfter then
      redis.call('SET', stop, same, 'PX', stopMs)
      redis.call('HDEL', rejections, symbol)
      stopped = 1
    end
  end
end
-- A proof of absence also shuts out the executor it speaks about, should that one wake up later.
if proven and fence > closed then redis.call('HSET', intent, 'closedFence', whole(fence)) end
keep()
return { changed, from, field('state'), field('reason'), duplicate, stopped, doubtMs, held }
`,
})
