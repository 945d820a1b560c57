import { defineScript } from '@safety/redis-core'
import type { Script } from '@safety/redis-core'

/** The newest records, as their JSON. A script, so that reading ends within a deadline like everything else. */
export const historyScript: Script<readonly ['historyKey'], { readonly limit: 'integer' }, string[]> = defineScript({
  name: 'breaker.history',
  keys: ['historyKey'],
  args: { limit: 'integer' },
  reply: reply => {
    const records = reply.texts()
    reply.end()
    return records
  },
  lua: `return redis.call('LRANGE', historyKey, 0, limit - 1)`,
})
