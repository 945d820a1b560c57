import { defineScript } from '@safety/redis-core'
import type { ReplyReader, Script } from '@safety/redis-core'

import { stateOf } from '../record.ts'
import type { DecideReply } from '../store.ts'
import { int, READ_RECORD, WRITE_RECORD } from './record-lua.ts'
import { readHead } from './reply.ts'

const ARGS = {
  member: 'text',
  kind: 'text',
  id: 'text',
  to: 'text',
  payload: 'text',
  force: 'integer',
  keepMs: 'text',
} as const

/**
 * Verdicts from outside. `confirm`: evidence closes whatever is not final yet, and creates what is absent. `resolve`: a
 * person closes what is open. `release`: a person makes a final record claimable. The verdict's id marks a repeat.
 */
export const decideScript: Script<readonly ['record', 'bucket'], typeof ARGS, DecideReply> = defineScript({
  name: 'idempotency.decide',
  keys: ['record', 'bucket'],
  args: ARGS,
  reply: readDecide,
  lua: `${READ_RECORD}
local how, due = 'first', nowText
if not stored then
  if kind ~= 'confirm' then return { 'NONE', now, 0 } end
  how = 'created'
  rToken, rFence, rAttempt, rMode, rVerdict, rUntil, rConflicts, rFp = '-', ${int('us')}, '0', 'm', '-', '0', '0', '-'
  rLease, rSettle, rBorn = nowText, nowText, nowText
else
  local final = rState == 'D' or rState == 'F'
  if string.match(rVerdict, '^[^!]*') == id or (kind == 'confirm' and final) then
    return { 'OK', now, 0, 'again', 0, stored }
  end
  local wait = 0
  if kind == 'resolve' and rState == 'C' and force == 0 then wait = rLease - now end
  if kind == 'resolve' and to == 'N' and force == 0 then wait = math.max(wait, rSettle - now) end
  if wait > 0 or (kind == 'resolve' and (final or rState == 'N'))
    or (kind == 'release' and not (rState == 'F' or (rState == 'D' and force == 1))) then
    return { 'REFUSED', now, 0, rState, math.max(0, wait) }
  end
  if rState == 'N' then how = 'overturned' end
end
local ageMs = rState == 'N' and 0 or math.max(0, now - rLease)
if kind == 'release' then rToken = id end
rState, rBy, rPayload = to, kind == 'confirm' and 'c' or 'o', payload
if to == 'N' then rLease = nowText end
rVerdict = id .. (string.match(rVerdict, '!.*$') or '')
${WRITE_RECORD}
return { 'OK', now, counter, how, ageMs, text }
`,
})

const HOWS = { first: 'first', created: 'created', overturned: 'overturned', again: 'again' } as const

function readDecide(reply: ReplyReader): DecideReply {
  const { tag, nowMs, counter } = readHead(reply, ['OK', 'REFUSED', 'NONE', 'FORMAT'])
  switch (tag) {
    case 'OK':
      return {
        tag,
        nowMs,
        counter,
        how: HOWS[reply.text() as keyof typeof HOWS],
        ageMs: reply.integer(),
        record: reply.text(),
      }
    case 'REFUSED':
      return { tag, nowMs, counter, state: stateOf(reply.text()), leftMs: reply.integer() }
    case 'NONE':
    case 'FORMAT':
      break
  }
  return { tag, nowMs, counter }
}
