import { defineScript } from '../src/index.ts'
import type { Script } from '../src/index.ts'

/** Raises a counter, in `ms` milliseconds of the server's time. */
export const increment: Script<readonly ['counter'], { readonly by: 'integer'; readonly ms: 'integer' }, number> =
  defineScript({
    name: 'test.increment',
    keys: ['counter'],
    args: { by: 'integer', ms: 'integer' },
    reply: reply => reply.integer(),
    lua: `local function now() local t = redis.call('TIME') return t[1] * 1000 + math.floor(t[2] / 1000) end
local start = now()
while now() - start < ms do end
return { redis.call('INCRBY', counter, by) }`,
  })

/** Writes nothing. */
// oxlint-disable-next-line typescript/no-generated-empty-object-type -- it takes no arguments
export const read: Script<readonly ['counter'], Record<never, never>, string> = defineScript({
  name: 'test.read',
  keys: ['counter'],
  args: {},
  reply: reply => reply.text(),
  lua: `return { redis.call('GET', counter) or '' }`,
})

/** One input of `increment`. */
export function plus(
  counter: string,
  by: number = 1,
  ms: number = 0,
): { keys: { counter: string }; args: { by: number; ms: number } } {
  return { keys: { counter }, args: { by, ms } }
}
