import { defineScript, type ReplyReader, type Script } from '@safety/redis-core'

const keys = ['gate'] as const
const args = { forMs: 'integer', reason: 'text' } as const

/** Closes the gate for everybody for at least `forMs`; a gate that is closed for longer stays so. */
export const closeGateScript: Script<typeof keys, typeof args, number> = defineScript({
  name: 'trader.close-gate',
  keys,
  args,
  reply: (reply: ReplyReader) => reply.integer(),
  lua: `
local left = redis.call('PTTL', gate)
if left >= forMs then return { left } end
redis.call('SET', gate, reason, 'PX', forMs)
return { forMs }
`,
})
