import { defineScript } from '@safety/redis-core'
import type { Script } from '@safety/redis-core'

import type { Head } from '../store.ts'
import { readHead } from './reply.ts'

export type DueReply = Head<'OK'> & { readonly members: readonly string[] }

const ARGS = { limit: 'integer' } as const

/** The open records of one bucket whose time has come, longest due first. */
export const dueScript: Script<readonly ['bucket'], typeof ARGS, DueReply> = defineScript({
  name: 'idempotency.due',
  keys: ['bucket'],
  args: ARGS,
  reply: reply => ({ ...readHead(reply, ['OK']), members: reply.texts() }),
  lua: `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local reply = { 'OK', now, 0 }
for _, member in ipairs(redis.call('ZRANGEBYSCORE', bucket, '-inf', string.format('%.0f', now), 'LIMIT', 0, limit + 2)) do
  if member ~= '#' and member ~= '!' and #reply < limit + 3 then reply[#reply + 1] = member end
end
return reply
`,
})
