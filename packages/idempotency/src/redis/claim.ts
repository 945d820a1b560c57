import { defineScript } from '@safety/redis-core'
import type { ReplyReader, Script } from '@safety/redis-core'

import { modeOf, sourceOf, stateOf } from '../record.ts'
import type { ClaimReply } from '../store.ts'
import { because, int, RAISE, READ_RECORD, stricter, WRITE_RECORD } from './record-lua.ts'
import { readHead } from './reply.ts'

const ARGS = {
  member: 'text',
  token: 'text',
  fp: 'text',
  mode: 'text',
  memo: 'text',
  leaseMs: 'integer',
  keepMs: 'text',
  settleMs: 'integer',
  notAfter: 'integer',
} as const

/**
 * Asks for the right to execute. A token is granted once: sent again while it holds, it gets the same fence; sent after
 * it ended, ENDED; sent after its caller gave up, LATE. A lapse is recorded, never taken over, unless every side says `repeat`.
 */
export const claimScript: Script<readonly ['record', 'bucket'], typeof ARGS, ClaimReply> = defineScript({
  name: 'idempotency.claim',
  keys: ['record', 'bucket'],
  args: ARGS,
  reply: readClaim,
  lua: `${READ_RECORD}
if notAfter > 0 and now > notAfter then return { 'LATE', now, 0 } end
if stored and rState ~= 'N' and fp ~= '-' and rFp ~= '-' and rFp ~= fp then return { 'MISMATCH', now, 0, rState } end
local strict, how, due = mode, 'fresh', nil
if stored then
  if rState == 'D' or rState == 'F' then return { rState, now, 0, rFence, rAttempt, rBy, rPayload } end
  strict = ${stricter('rMode', 'mode')}
  if rToken == token then
    if rState ~= 'C' then return { 'ENDED', now, 0, rState } end
    how = 'again'
  elseif rState == 'C' and now < tonumber(rLease) then return { 'BUSY', now, 0, rLease - now }
  elseif rState == 'C' and strict ~= 'r' then
    rState, rMode, how, due = 'U', strict, 'lapsed', nowText
    ${because('lapsed')}
  elseif rState == 'U' or rState == 'R' then
    return { 'U', now, 0, rFence, math.max(0, rSettle - now), rAttempt, strict, rPayload }
  else how = rState == 'N' and 'retry' or 'takeover' end
end
local lost = redis.call('ZSCORE', bucket, '!')
local lossAgeMs = lost and math.max(0, now - lost) or -1
if how == 'again' then
  ${RAISE}
  return { 'OWN', now, counter, rFence, rAttempt, how, lossAgeMs, rMode }
end
if how ~= 'lapsed' then
  due = ${int('now + leaseMs')}
  local last = tonumber(rFence or 0)
  rFence = last < us and usText or ${int('last + 1')}
  rAttempt = rAttempt and ${int('rAttempt + 1')} or '1'
  rState, rToken, rMode, rVerdict, rUntil, rBy, rFp = 'C', token, strict, '-', '0', 'x', fp
  rLease, rSettle = due, settleMs == 0 and due or ${int('now + leaseMs + settleMs')}
  rConflicts, rBorn = rConflicts or '0', rBorn or nowText
  rPayload = memo == '' and '{}' or '{"m":' .. memo .. '}'
end
${WRITE_RECORD}
if how == 'lapsed' then return { 'U', now, counter, rFence, math.max(0, rSettle - now), rAttempt, rMode, rPayload } end
return { 'OWN', now, counter, rFence, rAttempt, how, lossAgeMs, rMode }
`,
})

const TAGS = ['OWN', 'D', 'F', 'BUSY', 'U', 'MISMATCH', 'ENDED', 'LATE', 'FORMAT'] as const
const HOWS = { fresh: 'fresh', again: 'again', retry: 'retry', takeover: 'takeover' } as const

function readClaim(reply: ReplyReader): ClaimReply {
  const { tag, nowMs, counter } = readHead(reply, TAGS)
  switch (tag) {
    case 'OWN':
      return {
        tag,
        nowMs,
        counter,
        fence: reply.integer(),
        attempt: reply.integer(),
        how: HOWS[reply.text() as keyof typeof HOWS],
        lossAgeMs: reply.integer(),
        mode: modeOf(reply.text()),
      }
    case 'D':
    case 'F':
      return {
        tag,
        nowMs,
        counter,
        fence: reply.integer(),
        attempt: reply.integer(),
        by: sourceOf(reply.text()),
        payload: reply.text(),
      }
    case 'U':
      return {
        tag,
        nowMs,
        counter,
        fence: reply.integer(),
        settleInMs: reply.integer(),
        attempt: reply.integer(),
        mode: modeOf(reply.text()),
        payload: reply.text(),
      }
    case 'BUSY':
      return { tag, nowMs, counter, leaseLeftMs: reply.integer() }
    case 'MISMATCH':
    case 'ENDED':
      return { tag, nowMs, counter, state: stateOf(reply.text()) }
    case 'LATE':
    case 'FORMAT':
      break
  }
  return { tag, nowMs, counter }
}
