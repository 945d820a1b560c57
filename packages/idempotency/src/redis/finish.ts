import { defineScript } from '@safety/redis-core'
import type { ReplyReader, Script } from '@safety/redis-core'

import { sourceOf, stateOf } from '../record.ts'
import type { FinishReply } from '../store.ts'
import { GET_RECORD, int, RAISE, READ_FIELDS, REWRITE_RECORD, WRITE_RECORD } from './record-lua.ts'
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
 * The usual end, on the shortest way: the claim is the own one and nobody else was there. Of its text only state and
 * payload change. Writes what `WRITE_RECORD` would, in its order.
 */
const OWN_CLAIM = `
local own = token .. '|' .. fence .. '|'
if stored and (to == 'D' or to == 'F') and string.sub(stored, 1, 4 + #own) == '1|C|' .. own then
  local lease, rest = string.match(stored, '^(%d+)(|%d+|%d+|[rcm]|%-|%d+|%d+|x|[^|]*|%d+|)', 5 + #own)
  if lease then
    ${RAISE}
    redis.call('SET', record, '1|' .. to .. '|' .. own .. lease .. rest .. payload, 'PX', keepMs)
    redis.call('ZREM', bucket, member)
    if now < tonumber(lease) then return { 'FIRST', now, counter } end
    return { 'OK', now, counter, 'late' }
  end
end
`

/**
 * Records how the own attempt ended. `settled` is how long ago the settle time of a doubt began; -1 counts it from the
 * end of the lease. A doubt that was noticed by others before starts its settle time anew: the effect has only ended now. So
 * does one that a lookup held for "not run"; what a person or evidence said stands. An outcome of a claim that was taken over changes nothing but the count of conflicts; its token is
 * noted, so that a repeat is not counted twice.
 */
export const finishScript: Script<readonly ['record', 'bucket'], typeof ARGS, FinishReply> = defineScript({
  name: 'idempotency.finish',
  keys: ['record', 'bucket'],
  args: ARGS,
  reply: readFinish,
  lua: `${GET_RECORD}
${OWN_CLAIM}
${READ_FIELDS}
local how, due, again, superseded = 'recreated', nowText, false, false
local settleAt = now - settled + settleMs
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
elseif rState == 'N' and to == 'U' and (rBy ~= 'r' or settled < 0 or tonumber(rLease) > settleAt) then
  again = rBy == 'r'
  superseded = not again
elseif rState == 'N' then how = 'overturned'
else how = (rState == 'C' and now < tonumber(rLease)) and 'first' or 'late' end
if superseded then return { 'SUPERSEDED', now, 0, rState, rFence, rAttempt, rBy, rPayload } end
if again and rState ~= 'N' and to == 'U' and settled >= 0 and settleAt > tonumber(rSettle) then
  rSettle = ${int('settleAt')}
  ${REWRITE_RECORD}
  return { 'OK', now, counter, 'again' }
end
if again then
  ${RAISE}
  return { 'OK', now, counter, 'again' }
end
if to == 'U' and settled >= 0 then rSettle = ${int('settleAt')} end
if to == 'N' then rLease = ${int('math.floor(rFence / 1000)')}
elseif to == 'U' and settled >= 0 and tonumber(rLease) > now then rLease = nowText end
if rVerdict ~= '-' then rVerdict = '-' .. (string.match(rVerdict, '!.*$') or '') end
rState, rBy, rPayload = to, 'x', payload
${WRITE_RECORD}
return { 'OK', now, counter, how }
`,
})

const HOWS = { first: 'first', late: 'late', overturned: 'overturned', again: 'again', recreated: 'recreated' } as const

function readFinish(reply: ReplyReader): FinishReply {
  const { tag, nowMs, counter } = readHead(reply, ['FIRST', 'OK', 'SUPERSEDED', 'FORMAT'])
  switch (tag) {
    case 'FIRST':
      return { tag: 'OK', nowMs, counter, how: 'first' }
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
