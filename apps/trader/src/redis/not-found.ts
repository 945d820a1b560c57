import { defineScript, type ReplyReader, type Script } from '@safety/redis-core'

const keys = ['intent'] as const
const args = { signedAtMs: 'integer', atMs: 'integer' } as const

/**
 * Notes the first "not found" after the horizon and answers when it was. It counts for one signed request only: a
 * newer one forgets it.
 */
export const notFoundScript: Script<typeof keys, typeof args, number> = defineScript({
  name: 'trader.not-found',
  keys,
  args,
  reply: (reply: ReplyReader) => reply.integer(),
  lua: `
if redis.call('EXISTS', intent) == 0 then return { atMs } end
local signed = tonumber(redis.call('HGET', intent, 'signedAtMs')) or 0
if signed ~= signedAtMs then return { atMs } end
redis.call('HSETNX', intent, 'notFoundAtMs', string.format('%.0f', atMs))
return { tonumber(redis.call('HGET', intent, 'notFoundAtMs')) }
`,
})
