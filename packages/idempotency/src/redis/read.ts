import { defineScript } from '@safety/redis-core'
import type { Script } from '@safety/redis-core'

import type { Head } from '../store.ts'
import { readHead } from './reply.ts'

export type ReadReply = Head<'OK' | 'NONE'> & { readonly record: string }

/** One record as it is. Writes nothing. */
export const readScript: Script<readonly ['record'], Readonly<Record<string, never>>, ReadReply> = defineScript({
  name: 'idempotency.read',
  keys: ['record'],
  args: {},
  reply: reply => ({ ...readHead(reply, ['OK', 'NONE']), record: reply.text() }),
  lua: `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local stored = redis.call('GET', record)
return { stored and 'OK' or 'NONE', now, 0, stored or '' }
`,
})
