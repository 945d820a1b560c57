import { defineScript } from '@safety/redis-core'
import type { ReplyReader, Script } from '@safety/redis-core'

import { sourceOf, stateOf } from '../record.ts'
import type { FinishReply } from '../store.ts'
import { int, RAISE, READ_RECORD, REWRITE_RECORD, WRITE_RECORD } from './record-lua.ts'
import { readHead } from './reply.ts'

const ARGS = {
  member: 'text',
  token: 'text',
  fence: 'text',
  fp: 'text',
  mode: 'text',
  to: 'text',
  payload: 'text',
  attempt: 'integer',
  keepMs: 'text',
  settleMs: 'integer',
  settled: 'integer',
} as const

/**
 * Records how the own attempt ended. `settled` is how long ago the settle time of a doubt began; -1 counts it from the
 * end of the lease. An outcome of a claim that was taken over changes nothing but the count of conflicts; its token is
 * noted, so that a repeat is not counted twice.
 */
export const finishScript: Script<readonly ['record', 'bucket'], typeof ARGS, FinishReply> = defineScript({
  name: 'idempotency.finish',
  keys: ['record', 'bucket'],
  args: ARGS,
  reply: readFinish,
  lua: `${READ_RECORD}
local how, due, again, superseded = 'recreated', nowText, false, false
if not stored then
  rState, rToken, rFence, rAttempt, rMode, rUntil, rConflicts = 'C', token, fence, ${int('attempt')}, mode, '0', '0'
  rLease, rSettle, rFp, rBorn, rVerdict = nowText, ${int('now + settleMs')}, fp, nowText, '-'
elseif rToken ~= token or rFence ~= fence then
  if to == 'D' and string.match(rVerdict, '!(.*)$') ~= token then
    rConflicts = ${int('rConflicts + 1')}
    rVerdict = string.match(rVerdict, '^[^!]*') .. '!' .. token
    ${REWRITE_RECORD}
    return { 'SUPERSEDED', now, counter, rState, rFence, rAttempt, rBy, rPayload }
  end
  superseded = true
elseif rState == 'D' or rState == 'F' then
  again = rState == to and rBy == 'x'
  superseded = not again
elseif rState == to or (rState == 'R' and to == 'U') then again = true
elseif rState == 'N' then
  superseded = to ~= 'D' and to ~= 'F'
  how = 'overturned'
else how = (rState == 'C' and now < tonumber(rLease)) and 'first' or 'late' end
if superseded then return { 'SUPERSEDED', now, 0, rState, rFence, rAttempt, rBy, rPayload } end
if again then
  ${RAISE}
  return { 'OK', now, counter, 'again' }
end
if to == 'U' and settled >= 0 then
  rSettle = ${int('now - settled + settleMs')}
  if tonumber(rLease) > now then rLease = nowText end
end
if rVerdict ~= '-' then rVerdict = '-' .. (string.match(rVerdict, '!.*$') or '') end
rState, rBy, rPayload = to, 'x', payload
${WRITE_RECORD}
return { 'OK', now, counter, how }
`,
})

const HOWS = { first: 'first', late: 'late', overturned: 'overturned', again: 'again', recreated: 'recreated' } as const

function readFinish(reply: ReplyReader): FinishReply {
  const { tag, nowMs, counter } = readHead(reply, ['OK', 'SUPERSEDED', 'FORMAT'])
  switch (tag) {
    case 'OK':
      return { tag, nowMs, counter, how: HOWS[reply.text() as keyof typeof HOWS] }
    case 'SUPERSEDED':
      return {
        tag,
        nowMs,
        counter,
        state: stateOf(reply.text()),
        fence: reply.integer(),
        attempt: reply.integer(),
        by: sourceOf(reply.text()),
        payload: reply.text(),
      }
    case 'FORMAT':
      break
  }
  return { tag, nowMs, counter }
}
