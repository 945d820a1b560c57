import { defineScript } from '@safety/redis-core'
import type { Script } from '@safety/redis-core'

import { MAX_HOLDERS } from '../orders.ts'
import type { StoreReply } from '../store.ts'
import { HEAD } from './head.ts'
import { readReply } from './reply.ts'

type Keys = readonly ['stateKey', 'ordersKey', 'leasesKey', 'historyKey']

/** An order of an operator, forced-open or disabled; or a reset, closed. */
export const forceScript: Script<Keys, { readonly channel: 'text'; readonly inputJson: 'text' }, StoreReply> =
  defineScript({
    name: 'breaker.force',
    keys: ['stateKey', 'ordersKey', 'leasesKey', 'historyKey'],
    args: { channel: 'text', inputJson: 'text' },
    reply: readReply,
    lua: `${HEAD}
if not state then return answer('lost') end
if input.target == 'closed' then
  if call('HGET', stateKey, 'rid') == input.id then return answer('done') end
  if orderEnd > 0 then return answer('held') end
  call('HSET', stateKey, 'rid', input.id)
  opens = 0
  to('closed', 0, 'reset', { by = input.by, reason = input.reason })
  return answer('done')
end

local before = call('HGET', ordersKey, input.by)
-- Sent again, or released meanwhile.
if before and cjson.decode(before).id == input.id then return answer('done') end
settle('override-expired')
local holders = 0
for _, raw in ipairs(call('HVALS', ordersKey)) do
  local other = cjson.decode(raw)
  if not other.gone and other.by ~= input.by then holders = holders + 1 end
end
if holders >= ${MAX_HOLDERS} then return answer('full') end
local order = { id = input.id, by = input.by, target = input.target, reason = input.reason, at = now, ends = now + input.forMs }
call('HSET', ordersKey, input.by, cjson.encode(order))
call('PEXPIRE', ordersKey, 691200000)
tell('ordered', orderFacts(order), true)
settle('forced', { by = input.by, reason = input.reason })
return answer('done')
`,
  })
