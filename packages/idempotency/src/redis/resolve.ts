import { defineScript } from '@safety/redis-core'
import type { ReplyReader, Script } from '@safety/redis-core'

import { stateOf } from '../record.ts'
import type { ResolveReply } from '../store.ts'
import { int, RAISE, READ_RECORD, WRITE_RECORD } from './record-lua.ts'
import { readHead } from './reply.ts'

const ARGS = {
  member: 'text',
  rtoken: 'text',
  fence: 'text',
  to: 'text',
  payload: 'text',
  keepMs: 'text',
  nextMs: 'integer',
} as const

/** A reconciler's verdict. "Not run" is refused before the settle time; an empty payload keeps what is there. */
export const resolveScript: Script<readonly ['record', 'bucket'], typeof ARGS, ResolveReply> = defineScript({
  name: 'idempotency.resolve',
  keys: ['record', 'bucket'],
  args: ARGS,
  reply: readResolve,
  lua: `${READ_RECORD}
if not stored or string.match(rVerdict, '^[^!]*') ~= rtoken or rFence ~= fence then
  return { 'STALE', now, 0, rState or '-' }
end
local ageMs, due = math.max(0, now - rLease), ${int('now + nextMs')}
if rState == to then
  ${RAISE}
  return { 'OK', now, counter, 'again', ageMs }
end
if rState ~= 'R' then return { 'STALE', now, 0, rState } end
if to == 'N' and now < tonumber(rSettle) then return { 'EARLY', now, 0, rSettle - now } end
rState = to
if to ~= 'U' then rBy = 'r' end
if to == 'N' then rLease = nowText end
if payload ~= '' then rPayload = payload end
${WRITE_RECORD}
return { 'OK', now, counter, 'first', ageMs }
`,
})

function readResolve(reply: ReplyReader): ResolveReply {
  const { tag, nowMs, counter } = readHead(reply, ['OK', 'EARLY', 'STALE', 'FORMAT'])
  switch (tag) {
    case 'OK':
      return { tag, nowMs, counter, how: reply.text() === 'again' ? 'again' : 'first', ageMs: reply.integer() }
    case 'EARLY':
      return { tag, nowMs, counter, settleInMs: reply.integer() }
    case 'STALE': {
      const state = reply.text()
      return { tag, nowMs, counter, state: state === '-' ? undefined : stateOf(state) }
    }
    case 'FORMAT':
      break
  }
  return { tag, nowMs, counter }
}
