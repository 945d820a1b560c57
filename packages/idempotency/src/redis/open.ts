import { defineScript } from '@safety/redis-core'
import type { Script } from '@safety/redis-core'

import type { Head } from '../store.ts'
import { readHead } from './reply.ts'

export type OpenReply = Head<'OK'> & { readonly members: readonly string[] }

const ARGS = { offset: 'integer', limit: 'integer' } as const

/** One page of a bucket, due or not. Two members, `#` and `!`, name no record. */
export const openScript: Script<readonly ['bucket'], typeof ARGS, OpenReply> = defineScript({
  name: 'idempotency.open',
  keys: ['bucket'],
  args: ARGS,
  reply: reply => ({ ...readHead(reply, ['OK']), members: reply.texts() }),
  lua: `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local reply = { 'OK', now, 0 }
for _, member in ipairs(redis.call('ZRANGE', bucket, offset, offset + limit - 1)) do reply[#reply + 1] = member end
return reply
`,
})
