import { defineScript, type ReplyReader, type Script } from '@safety/redis-core'

const keys = ['halts'] as const
const args = { reason: 'text', why: 'text', on: 'integer' } as const

/** Stops entries for a reason nobody asked for, or lifts that one stop. Answers whether anything changed. */
export const haltScript: Script<typeof keys, typeof args, boolean> = defineScript({
  name: 'trader.halt',
  keys,
  args,
  reply: (reply: ReplyReader) => reply.integer() === 1,
  lua: `
if on == 1 then return { redis.call('HSETNX', halts, reason, why) } end
return { redis.call('HDEL', halts, reason) }
`,
})
