import { defineScript, type ReplyReader, type Script } from '@safety/redis-core'

const keys = ['checkpoint'] as const
const args = { symbol: 'text', barOpenMs: 'integer', arrivedAtMs: 'integer' } as const

/** Moves a symbol's checkpoint forward, never back; answers where it stands. */
export const checkpointScript: Script<typeof keys, typeof args, number> = defineScript({
  name: 'trader.checkpoint',
  keys,
  args,
  reply: (reply: ReplyReader) => reply.integer(),
  lua: `
local held = tonumber(redis.call('HGET', checkpoint, symbol)) or -1
if barOpenMs <= held then return { held } end
redis.call('HSET', checkpoint, symbol, string.format('%.0f', barOpenMs), symbol .. ':at', string.format('%.0f', arrivedAtMs))
return { barOpenMs }
`,
})
