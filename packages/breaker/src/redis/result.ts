import { defineScript } from '@safety/redis-core'
import type { Script } from '@safety/redis-core'

import type { StoreReply } from '../store.ts'
import { HEAD } from './head.ts'
import { readReply } from './reply.ts'

type Keys = readonly ['stateKey', 'ordersKey', 'leasesKey', 'historyKey']

/** The verdict of a probe: ok, failed or void. Answers with the probes passed and failed. */
export const resultScript: Script<Keys, { readonly channel: 'text'; readonly inputJson: 'text' }, StoreReply> =
  defineScript({
    name: 'breaker.result',
    keys: ['stateKey', 'ordersKey', 'leasesKey', 'historyKey'],
    args: { channel: 'text', inputJson: 'text' },
    reply: readReply,
    lua: `${HEAD}
call('ZREMRANGEBYSCORE', leasesKey, '-inf', now)
local leased = call('ZREM', leasesKey, input.token) == 1
local passed, failed = 0, 0
if state then
  local counts = call('HMGET', stateKey, 'ps', 'pf')
  passed, failed = tonumber(counts[1]) or 0, tonumber(counts[2]) or 0
end
if not leased or state ~= 'half-open' or epoch ~= input.epoch then return answer('late', { passed, failed, 0 }) end

if input.verdict == 'ok' then
  passed = call('HINCRBY', stateKey, 'ps', 1)
  if passed >= input.successes then
    local rate = tonumber(call('HGET', stateKey, 'rate')) or 0
    local ramped = input.rampMs > 0 and rate >= input.rampMinRate
    call('HDEL', stateKey, 'lf')
    to('closed', ramped and now + input.rampMs or 0, 'probes-passed')
    return answer('adopt', { passed, failed, 0 })
  end
elseif input.verdict == 'failed' then
  failed = call('HINCRBY', stateKey, 'pf', 1)
  if failed > input.tolerated then
    opens = opens + 1
    call('HSET', stateKey, 'lf', input.instance)
    to('open', coolOffEnd(), 'probe-failed')
    return answer('adopt', { passed, failed, 0 })
  end
end
-- The slot is free: others may ask at once.
tell('free', {})
return answer('counted', { passed, failed, 0 })
`,
  })
