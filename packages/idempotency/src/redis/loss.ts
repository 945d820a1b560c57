import { defineScript } from '@safety/redis-core'
import type { Script } from '@safety/redis-core'

import type { Head } from '../store.ts'
import { readHead } from './reply.ts'

export type LossReply = Head<'OK'>

/** Marks a bucket as having lost acknowledged writes, for every process to see. Again moves the mark to now. */
export const lossScript: Script<readonly ['bucket'], Readonly<Record<string, never>>, LossReply> = defineScript({
  name: 'idempotency.loss',
  keys: ['bucket'],
  args: {},
  reply: reply => readHead(reply, ['OK']),
  lua: `
local time = redis.call('TIME')
local us = tonumber(time[1]) * 1000000 + tonumber(time[2])
local now = math.floor(us / 1000)
local counter = tonumber(redis.call('ZINCRBY', bucket, 4096, '#'))
if counter == 4096 then counter = tonumber(redis.call('ZINCRBY', bucket, 1 + us % 4095, '#')) end
redis.call('ZADD', bucket, string.format('%.0f', now), '!')
return { 'OK', now, counter }
`,
})
