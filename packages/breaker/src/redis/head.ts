/**
 * In front of every script that writes. Keys come in the order state orders leases history members active failing opened
 * batches, of which a script declares the first ones it needs. `inputJson` is an object without nulls.
 *
 * The reply is flat: code, state, epoch, until, opens, last move, now, moved (1) and re-seeded (2), three counts, orders ended,
 * record of the last move; then the orders in force.
 */
export const HEAD = `
local call = redis.call
local input = cjson.decode(inputJson)
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- WRONGTYPE has to come before the first write.
for index, read in ipairs({ 'HLEN', 'HLEN', 'ZCARD', 'LLEN', 'ZCARD', 'ZCARD', 'ZCARD', 'ZCARD', 'HLEN' }) do
  if KEYS[index] then call(read, KEYS[index]) end
end

-- As text, milliseconds would become 1.7e+12.
local function whole(x) return string.format('%.0f', tonumber(x) or 0) end

local fields = call('HMGET', stateKey, 's', 'e', 'u', 'n', 'at', 'ou', 'mv')
local state, epoch, untilMs = fields[1], tonumber(fields[2]) or 0, tonumber(fields[3]) or 0
local opens, movedAt, orderEnd = tonumber(fields[4]) or 0, tonumber(fields[5]) or 0, tonumber(fields[6]) or 0
local move = fields[7] or ''
local moved, reseeded, ended = 0, 0, 0

local function inForce()
  local live = {}
  if orderEnd > 0 then
    for _, raw in ipairs(call('HVALS', ordersKey)) do
      if not cjson.decode(raw).gone then live[#live + 1] = raw end
    end
  end
  return live
end

-- The message and the line of history are one record.
local function tell(kind, facts, keep)
  local record = { k = kind, b = input.name, i = input.instance, s = state, e = whole(epoch), u = whole(untilMs), n = whole(opens), now = whole(now) }
  for field, value in pairs(facts) do record[field] = value end
  local live = inForce()
  if #live > 0 then record.o = live end
  local json = cjson.encode(record)
  if keep then
    call('LPUSH', historyKey, json)
    call('LTRIM', historyKey, 0, 99)
    call('PEXPIRE', historyKey, 2592000000)
  end
  call('PUBLISH', channel, json)
  return json
end

local function to(nextState, nextUntil, why, facts)
  facts = facts or {}
  facts.from, facts.why, facts.by = state, why, facts.by or input.instance
  state, epoch, untilMs, movedAt, moved = nextState, math.max(epoch + 1, now), nextUntil, now, 1
  call('HSET', stateKey, 's', state, 'e', whole(epoch), 'u', whole(untilMs), 'n', whole(opens), 'at', whole(movedAt))
  call('HDEL', stateKey, 'w', 'ps', 'pf', 'ask')
  call('DEL', leasesKey)
  move = tell('moved', facts, true)
  call('HSET', stateKey, 'mv', move)
end

local function coolOffEnd()
  local grown = input.coolMs * input.factor ^ (opens - 1)
  return now + math.floor(math.min(grown, input.coolMaxMs) * input.jitter)
end

local function orderFacts(order)
  return { id = order.id, by = order.by, target = order.target, reason = order.reason, at = order.at, ends = order.ends }
end

-- The operator's part, from the orders still in force. forced-open beats disabled.
local function settle(why, facts)
  local all, target, lastEnd, nextEnd = call('HGETALL', ordersKey), nil, 0, 0
  for index = 2, #all, 2 do
    local order = cjson.decode(all[index])
    if order.ends <= now then
      call('HDEL', ordersKey, all[index - 1])
      if not order.gone then
        ended = ended + 1
        tell('expired', orderFacts(order), true)
      end
    elseif not order.gone then
      if nextEnd == 0 or order.ends < nextEnd then nextEnd = order.ends end
      if target == order.target then
        lastEnd = math.max(lastEnd, order.ends)
      elseif target ~= 'forced-open' then
        target, lastEnd = order.target, order.ends
      end
    end
  end
  orderEnd = nextEnd
  call('HSET', stateKey, 'ou', whole(orderEnd))
  if target == state then
    untilMs = lastEnd
    call('HSET', stateKey, 'u', whole(untilMs))
  elseif target or state == 'forced-open' or state == 'disabled' then
    opens = 0
    to(target or 'closed', lastEnd, why, facts)
  end
end

local function answer(code, counts)
  local three = counts or { 0, 0, 0 }
  local reply = {
    code, state or '', whole(epoch), whole(untilMs), whole(opens), whole(movedAt), whole(now), moved + 2 * reseeded,
    three[1], three[2], three[3], ended, move,
  }
  for _, raw in ipairs(inForce()) do reply[#reply + 1] = raw end
  return reply
end

if orderEnd > 0 and now >= orderEnd then settle('override-expired') end
`
