import { defineScript } from '@safety/redis-core'
import type { Script } from '@safety/redis-core'

import type { StoreReply } from '../store.ts'
import { HEAD } from './head.ts'
import { readReply } from './reply.ts'

type Keys = readonly ['stateKey', 'ordersKey', 'leasesKey', 'historyKey']

/** Ends the orders of one holder, or of all (`*`). They are kept until their end, so that a late copy of one stays dead. */
export const releaseScript: Script<Keys, { readonly channel: 'text'; readonly inputJson: 'text' }, StoreReply> =
  defineScript({
    name: 'breaker.release',
    keys: ['stateKey', 'ordersKey', 'leasesKey', 'historyKey'],
    args: { channel: 'text', inputJson: 'text' },
    reply: readReply,
    lua: `${HEAD}
if not state then return answer('lost') end
-- What ended by time is not what this release ended.
ended = 0
local released = false
for _, raw in ipairs(call('HVALS', ordersKey)) do
  local order = cjson.decode(raw)
  if order.gone == input.id then
    ended = ended + 1
  elseif not order.gone and (input.holder == '*' or input.holder == order.by) then
    order.gone = input.id
    ended, released = ended + 1, true
    call('HSET', ordersKey, order.by, cjson.encode(order))
    tell('released', { holder = order.by, target = order.target, by = input.by, reason = input.reason }, true)
  end
end
local count = ended
if released then settle('released', { by = input.by, reason = input.reason }) end
ended = count
return answer('done')
`,
  })
