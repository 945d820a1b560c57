/**
 * What the scripts that move an intent have in common. They declare the keys `intent open exposure doubts counts` and
 * the arguments `id symbol keepMs`.
 *
 * `rank` orders what is known about an intent: a fact from the exchange (5 and above) beats every belief, a terminal
 * status beats all, and nothing moves back.
 */
export const journalLua = `
local rank = { PROPOSED = 0, RESERVED = 1, SENT = 2, UNKNOWN = 3, STUCK = 3, ABSENT = 3, DENIED = 4, REJECTED = 4,
  LAPSED = 4, ACCEPTED = 5, PARTIAL = 6, CANCELED = 7, EXPIRED = 7, FILLED = 7 }
local time = redis.call('TIME')
local nowMs = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
-- Read first: a key of the wrong type fails here, before anything is written.
redis.call('HLEN', intent) redis.call('ZCARD', open) redis.call('HLEN', exposure)
redis.call('SCARD', doubts) redis.call('HLEN', counts)
local function whole(x) return string.format('%.0f', x) end
local function field(name) return redis.call('HGET', intent, name) or '' end
local function inDoubt(state) return state == 'UNKNOWN' or state == 'STUCK' end

-- Compares integers in text: doubles are exact only to 2^53.
local function above(a, b)
  if a == '' then return false end
  if b == '' then b = '0' end
  if #a ~= #b then return #a > #b end
  return a > b
end

local function move(from, to, reason, by)
  if inDoubt(from) and not inDoubt(to) then
    redis.call('HINCRBY', counts, 'doubtsResolved', 1)
    redis.call('SREM', doubts, id)
  elseif inDoubt(to) and not inDoubt(from) then
    redis.call('HINCRBY', counts, 'doubtsSeen', 1)
    redis.call('SADD', doubts, id)
    redis.call('HSET', intent, 'doubtSinceMs', whole(nowMs))
  end
  redis.call('HSET', intent, 'state', to, 'reason', reason, 'by', by, 'movedMs', whole(nowMs))
  local underWay = to == 'SENT' or inDoubt(to) or to == 'ACCEPTED' or to == 'PARTIAL'
  local held = field('notional')
  if held ~= '' and not underWay then
    redis.call('HINCRBY', exposure, symbol, '-' .. held)
    redis.call('HDEL', intent, 'notional')
  end
end

-- An intent is settled when it was refused, or when its order has ended and each of its fills is in the ledger.
local function keep()
  local state = field('state')
  local refused = rank[state] == 4
  local ended = rank[state] == 7 and not above(field('executed'), field('filled'))
  if refused or ended then
    redis.call('ZREM', open, id)
    redis.call('PEXPIRE', intent, keepMs)
  else
    redis.call('ZADD', open, 'NX', whole(nowMs), id)
    redis.call('PERSIST', intent)
  end
end
`
