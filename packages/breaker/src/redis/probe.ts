import { defineScript } from '@safety/redis-core'
import type { Script } from '@safety/redis-core'

import type { StoreReply } from '../store.ts'
import { HEAD } from './head.ts'
import { readReply } from './reply.ts'

type Keys = readonly ['stateKey', 'ordersKey', 'leasesKey', 'historyKey', 'membersKey']

/** May this process send one probe now? */
export const probeScript: Script<Keys, { readonly channel: 'text'; readonly inputJson: 'text' }, StoreReply> =
  defineScript({
    name: 'breaker.probe',
    keys: ['stateKey', 'ordersKey', 'leasesKey', 'historyKey', 'membersKey'],
    args: { channel: 'text', inputJson: 'text' },
    reply: readReply,
    lua: `${HEAD}
-- The caller flushes, which re-seeds.
if not state or epoch < input.epoch then return answer('lost') end

call('ZREMRANGEBYSCORE', leasesKey, '-inf', now)
-- A lease that ends later than any given now: the server's clock went back.
call('ZREMRANGEBYSCORE', leasesKey, '(' .. whole(now + input.leaseMs), '+inf')
-- Sent again after a lost reply.
if call('ZSCORE', leasesKey, input.token) then return answer('granted') end

-- Who failed the last round lets others go first.
local barred = call('HGET', stateKey, 'lf') == input.instance and call('ZCARD', membersKey) > 1
if state == 'open' then
  -- No honest cool-off is longer.
  local honest = untilMs - now <= input.coolMaxMs * 1.5
  if now < untilMs and honest then return answer('later') end
  if barred and honest and now < untilMs + input.leaseMs then
    untilMs = untilMs + input.leaseMs
    return answer('later')
  end
  if barred then
    call('HDEL', stateKey, 'lf')
    barred = false
  end
  to('half-open', 0, 'cool-off-over')
end
if state ~= 'half-open' then return answer('adopt') end
if barred and now < movedAt + input.leaseMs * input.successes then
  untilMs = movedAt + input.leaseMs * input.successes
  return answer('later')
end
if call('ZCARD', leasesKey) >= input.probes then
  untilMs = tonumber(call('ZRANGE', leasesKey, 0, 0, 'WITHSCORES')[2])
  return answer('later')
end
call('ZADD', leasesKey, whole(now + input.leaseMs), input.token)
call('PEXPIRE', leasesKey, whole(input.leaseMs * 4))
return answer('granted')
`,
  })
