import { defineScript, type ReplyReader, type Script } from '@safety/redis-core'

const keys = ['gate', 'weight'] as const
const args = { cost: 'integer', limit: 'integer' } as const

/** Milliseconds to wait before this call may leave; 0 is go, and its weight is counted. */
export const acquireScript: Script<typeof keys, typeof args, number> = defineScript({
  name: 'trader.acquire',
  keys,
  args,
  reply: (reply: ReplyReader) => reply.integer(),
  lua: `
redis.call('STRLEN', gate)
local gateMs = redis.call('PTTL', gate)
if gateMs > 0 then return { gateMs } end
local used = tonumber(redis.call('GET', weight)) or 0
if used > 0 and used + cost > limit then return { math.max(1, redis.call('PTTL', weight)) } end
if redis.call('INCRBY', weight, cost) == cost then redis.call('PEXPIRE', weight, 60000) end
return { 0 }
`,
})
