import { defineScript } from '@safety/redis-core'
import type { Script } from '@safety/redis-core'

import type { MarkerFacts } from '../node-facts.ts'

/**
 * Raises the marker of a master, making it first where there is none. A repeat raises it once more, which is harmless:
 * only an id that changed or a count that fell says anything.
 */
export const raiseMarker: Script<readonly ['marker'], { freshId: 'text'; ttlMs: 'integer' }, MarkerFacts> =
  defineScript({
    name: 'redis-checks.marker',
    keys: ['marker'],
    args: { freshId: 'text', ttlMs: 'integer' },
    reply: reply => ({
      id: reply.text(),
      seq: reply.integer(),
      createdMs: reply.integer(),
      serverMs: reply.integer(),
    }),
    lua: `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local fields = {}
local flat = redis.call('HGETALL', marker)
for i = 1, #flat, 2 do fields[flat[i]] = flat[i + 1] end
local id = fields['id'] or freshId
local created = tonumber(fields['createdMs'] or now)
local seq = tonumber(fields['seq'] or 0) + 1
redis.call('HSET', marker, 'id', id, 'seq', string.format('%.0f', seq), 'createdMs', string.format('%.0f', created))
redis.call('PEXPIRE', marker, ttlMs)
return { id, seq, string.format('%.0f', created), string.format('%.0f', now) }`,
  })

export function markerKey(prefix: string, tag: string): string {
  return `${prefix}redis-checks:{${tag}}:marker`
}

export function probeKey(prefix: string, tag: string, token: string): string {
  return `${prefix}redis-checks:{${tag}}:probe:${token}`
}
