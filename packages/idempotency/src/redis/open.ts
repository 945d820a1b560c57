import { defineScript } from '@safety/redis-core'
import type { Script } from '@safety/redis-core'

import type { Head } from '../store.ts'
import { readHead } from './reply.ts'

export type OpenReply = Head<'OK'> & { readonly members: readonly string[] }

/**
 * The members of a bucket, due or not, longest due first, as they are at one moment: between two pages a record may move
 * to where no page looks any more, and a cursor means nothing to the primary a failover leaves. Two members, `#` and `!`,
 * name no record.
 */
export const openScript: Script<readonly ['bucket'], Readonly<Record<string, never>>, OpenReply> = defineScript({
  name: 'idempotency.open',
  keys: ['bucket'],
  args: {},
  reply: reply => ({ ...readHead(reply, ['OK']), members: reply.texts() }),
  lua: `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local reply = { 'OK', now, 0 }
for index, member in ipairs(redis.call('ZRANGE', bucket, 0, -1)) do reply[index + 3] = member end
return reply
`,
})
