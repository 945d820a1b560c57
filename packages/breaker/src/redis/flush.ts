import { defineScript } from '@safety/redis-core'
import type { Script } from '@safety/redis-core'

import type { StoreReply } from '../store.ts'
import { HEAD } from './head.ts'
import { readReply } from './reply.ts'

type Keys = readonly [
  'stateKey',
  'ordersKey',
  'leasesKey',
  'historyKey',
  'membersKey',
  'activeKey',
  'failingKey',
  'openedKey',
  'batchesKey',
]

/** Report and poll in one: pools a batch of evidence, decides, and answers with the shared part. */
export const flushScript: Script<Keys, { readonly channel: 'text'; readonly inputJson: 'text' }, StoreReply> =
  defineScript({
    name: 'breaker.flush',
    keys: [
      'stateKey',
      'ordersKey',
      'leasesKey',
      'historyKey',
      'membersKey',
      'activeKey',
      'failingKey',
      'openedKey',
      'batchesKey',
    ],
    args: { channel: 'text', inputJson: 'text' },
    reply: readReply,
    lua: `${HEAD}
-- First ever, or Redis lost data: the highest epoch anyone saw wins.
if not state or epoch < input.epoch then
  state, epoch, untilMs, opens, movedAt = input.state, math.max(input.epoch, 1), now + input.leftMs, input.opens, now
  if state == 'half-open' then state = 'open' end
  if state == 'closed' and input.leftMs == 0 then untilMs = 0 end
  call('DEL', ordersKey, leasesKey)
  call('HDEL', stateKey, 'w', 'ps', 'pf', 'ask', 'mv')
  for _, order in ipairs(input.orders) do call('HSET', ordersKey, order.by, cjson.encode(order)) end
  call('HSET', stateKey, 's', state, 'e', whole(epoch), 'u', whole(untilMs), 'n', whole(opens), 'at', whole(now), 'born', whole(now))
  move = ''
  settle('forced')
  if input.epoch > 0 then
    local record = tell('reseeded', { by = input.instance, why = 'reseeded' }, true)
    if move == '' then
      move = record
      call('HSET', stateKey, 'mv', move)
    end
    reseeded = 1
  end
end

local evidence = call('HMGET', stateKey, 'w', 'ask', 'born')
local born = tonumber(evidence[3]) or 0
local pool = evidence[1] and cmsgpack.unpack(evidence[1]) or { input.shape, now, {}, {} }

-- The server's clock went back: evidence starts anew, and members register again.
if math.max(movedAt, pool[2]) > now then
  movedAt, born, pool = now, now, { input.shape, now, {}, {} }
  call('DEL', membersKey, activeKey, failingKey, openedKey)
  call('HDEL', stateKey, 'w')
  call('HSET', stateKey, 'at', whole(now), 'born', whole(now))
end

for _, silent in ipairs(call('ZRANGEBYSCORE', membersKey, '-inf', now - input.memberMs, 'LIMIT', 0, 64)) do
  for index = 5, 8 do call('ZREM', KEYS[index], silent) end
  call('HDEL', batchesKey, silent)
end
local function mark(key, yes)
  if yes then call('ZADD', key, now, input.instance) else call('ZREM', key, input.instance) end
end
mark(membersKey, true)
mark(failingKey, input.failing)
mark(openedKey, input.opened)
if input.active then mark(activeKey, true) end
call('ZREMRANGEBYSCORE', activeKey, '-inf', now - input.memberMs)
call('ZREMRANGEBYSCORE', failingKey, '-inf', now - input.longMs)
for _, index in ipairs({ 1, 2, 5, 6, 7, 8, 9 }) do call('PEXPIRE', KEYS[index], 691200000) end
local alive, active, failing = call('ZCARD', membersKey), call('ZCARD', activeKey), call('ZCARD', failingKey)
local members = { alive, active, failing }

if input.proved and epoch == input.epoch and now >= untilMs and (state == 'open' or state == 'half-open') then
  if state == 'open' then to('half-open', 0, 'proved-while-away') end
  to('closed', 0, 'proved-while-away')
end
if input.hint and state == 'open' and now >= untilMs then to('closed', 0, 'hint-lapsed') end

-- Evidence of another epoch.
if state ~= 'closed' or moved == 1 or (input.epoch > 0 and input.epoch ~= epoch) then return answer('adopt', members) end

if pool[1] ~= input.shape then
  if now - pool[2] < 2 * input.longMs then return answer('other-config', members) end
  pool = { input.shape, now, {}, {} }
end
pool[2] = now

-- A batch counts once, however often it is sent.
local last = call('HGET', batchesKey, input.instance) or ''
local lastRun, lastBatch = string.match(last, '^(%S+) (%d+)$')
local fresh = lastRun ~= input.run or input.batch > tonumber(lastBatch)
call('HSET', batchesKey, input.instance, input.run .. ' ' .. whole(input.batch))

-- A slot is bucket, ok, failed, slow. rows[k] has age k - 1. Returns the sums over the window; the rest is zeroed.
local function pour(ring, widthMs, size, rows)
  local bucket, sums = math.floor(now / widthMs), { 0, 0, 0 }
  for k = 1, fresh and math.min(#rows, size) or 0 do
    local number = bucket - k + 1
    local slot = number % size * 4
    if ring[slot + 1] ~= number then
      ring[slot + 1], ring[slot + 2], ring[slot + 3], ring[slot + 4] = number, 0, 0, 0
    end
    for j = 1, 3 do ring[slot + 1 + j] = ring[slot + 1 + j] + rows[k][j] end
  end
  for slot = 0, size * 4 - 4, 4 do
    local number = ring[slot + 1] or 0
    if number > bucket - size and number <= bucket then
      for j = 1, 3 do sums[j] = sums[j] + ring[slot + 1 + j] end
    else
      ring[slot + 1], ring[slot + 2], ring[slot + 3], ring[slot + 4] = 0, 0, 0, 0
    end
  end
  return sums
end
local long = pour(pool[3], input.longMs / input.longN, input.longN, { input.c })
local fast = input.fastN > 0 and pour(pool[4], input.fastMs / input.fastN, input.fastN, input.r) or { 0, 0, 0 }
call('HSET', stateKey, 'w', cmsgpack.pack(pool))

-- Ratios are quotients: 7 / 100 >= 0.07 holds in floating point, 7 >= 0.07 * 100 does not.
local function portion(ratio, count) return math.ceil(ratio * count - 1e-9) end
local voters = math.max(active, input.expect)
local need = math.max(math.min(input.quorumMin, math.max(alive, input.expect)), portion(input.quorumRatio, voters))
local longCalls, fastCalls = long[1] + long[2], fast[1] + fast[2]
local enough = longCalls >= input.longMin
local rule
if call('ZCARD', openedKey) >= math.max(need, portion(input.longRatio, voters)) then rule = 'members-open'
elseif input.fastN > 0 and fastCalls >= input.fastMin and fast[2] / fastCalls >= input.fastRatio then rule = 'fast-failure-ratio'
elseif enough and long[2] / longCalls >= input.longRatio then rule = 'failure-ratio'
elseif enough and long[3] / longCalls >= input.slowRatio then rule = 'slow-ratio' end
if not rule then return answer('counted', members) end
if rule ~= 'members-open' and failing < need then return answer('no-quorum', members) end
if input.expect == 0 and now - born < input.settleMs then return answer('no-quorum', members) end

-- One round of fresh reports first, so that healthy members have been heard too.
local ask = tonumber(evidence[2]) or 0
if now - ask > 250 or ask > now then
  call('HSET', stateKey, 'ask', whole(now))
  tell('report', {})
  return answer('confirm', members)
end
if now - ask < 150 and call('ZCOUNT', membersKey, whole(ask), '+inf') < alive then return answer('confirm', members) end

-- A ramp holds calls back: the rate before it counts.
local rate = longCalls * 1000 / input.longMs
if untilMs > now then rate = math.max(rate, tonumber(call('HGET', stateKey, 'rate')) or 0) end
opens = math.max(0, opens - math.floor((now - movedAt) / input.forgiveMs)) + 1
call('HSET', stateKey, 'rate', string.format('%.3f', rate))
call('DEL', failingKey, openedKey)
to('open', coolOffEnd(), rule, { long = long, fast = fast, alive = alive, active = active, failing = failing })
return answer('adopt', members)
`,
  })
