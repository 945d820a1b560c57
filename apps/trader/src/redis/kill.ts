import { defineScript, type ReplyReader, type Script } from '@safety/redis-core'

const keys = ['kill'] as const
const args = { level: 'text', who: 'text', why: 'text' } as const

export interface KillState {
  /** '' when nothing is killed. */
  readonly level: string
  readonly who: string
  readonly why: string
  /** Redis time of the first call that stopped trading; 0 when nothing is killed. */
  readonly atMs: number
  /** Rises by one with every kill. */
  readonly epoch: number
}

const levels = ['halt-entries', 'cancel-all', 'flatten'] as const
export type KillLevel = (typeof levels)[number]
export const killLevels: readonly KillLevel[] = levels

/**
 * Sets the kill switch (`level` is one of the levels) or lifts it (`level` is `resume`). A set switch only rises; only
 * `resume` lowers it. The key has no TTL: a halt that ends by itself is not a halt.
 */
export const killScript: Script<typeof keys, typeof args, KillState> = defineScript({
  name: 'trader.kill',
  keys,
  args,
  reply: (reply: ReplyReader) => ({
    level: reply.text(),
    who: reply.text(),
    why: reply.text(),
    atMs: reply.integer(),
    epoch: reply.integer(),
  }),
  lua: `
local rank = { [''] = 0, ['halt-entries'] = 1, ['cancel-all'] = 2, ['flatten'] = 3 }
local held = redis.call('HGET', kill, 'level') or ''
local epoch = tonumber(redis.call('HGET', kill, 'epoch')) or 0
local time = redis.call('TIME')
local nowMs = string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
if level == 'resume' then
  if held ~= '' then redis.call('HSET', kill, 'level', '', 'who', who, 'why', why, 'atMs', '0') end
elseif rank[level] and rank[level] > rank[held] then
  if held == '' then epoch = epoch + 1 redis.call('HSET', kill, 'atMs', nowMs) end
  redis.call('HSET', kill, 'level', level, 'who', who, 'why', why, 'epoch', string.format('%.0f', epoch))
end
return { redis.call('HGET', kill, 'level') or '', redis.call('HGET', kill, 'who') or '',
  redis.call('HGET', kill, 'why') or '', tonumber(redis.call('HGET', kill, 'atMs')) or 0, epoch }
`,
})
