import { defineScript } from '@safety/redis-core'
import type { ReplyReader, Script } from '@safety/redis-core'

import { modeOf, parseRecord, stateOf } from '../record.ts'
import type { ClaimReply } from '../store.ts'
import { because, GET_RECORD, int, RAISE, READ_FIELDS, stricter, WRITE_RECORD } from './record-lua.ts'
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
 * The usual first call, on the shortest way: nothing is stored. Writes what `WRITE_RECORD` would, in its order. `redis.call`
 * itself writes whole numbers out in full, and NEW is OWN where all that would follow is known: both save time.
 */
const FRESH = `
if not stored then
  local marks = redis.call('ZMSCORE', bucket, '#', '!')
  local counter = marks[1] and marks[1] + 4096 or 4097 + us % 4095
  local text = string.format('1|C|%s|%.0f|%s|1|%.0f|%s|-|0|0|x|%s|%.0f|', token, us, due, due + settleMs, mode, fp, now)
    .. (memo == '' and '{}' or '{"m":' .. memo .. '}')
  redis.call('ZADD', bucket, counter, '#', due, member)
  if mode == 'r' then redis.call('SET', record, text, 'PX', leaseMs + keepMs)
  else redis.call('SET', record, text) end
  if not marks[2] then return { 'NEW', now, counter, us } end
  if tonumber(marks[2]) > now then redis.call('ZADD', bucket, now, '!') end
  return { 'OWN', now, counter, us, 1, 'fresh', math.max(0, now - marks[2]), mode, 0 }
end
`

/** The usual later call, on the shortest way: it is final, and the record goes back as it is. */
const REPLAY = `
local final, itsFp = string.match(stored, '^1|([DF])|[^|]*|%d+|%d+|%d+|%d+|[rcm]|[^|]*|%d+|%d+|[xrco]|([^|]*)|%d+|')
if final then
  if fp ~= '-' and itsFp ~= '-' and itsFp ~= fp then return { 'MISMATCH', now, 0, final } end
  return { final, now, 0, stored }
end
`

/**
 * Asks for the right to execute. A token is granted once: sent again while it holds, it gets the same fence; sent after
 * it ended, ENDED; sent after its caller gave up, LATE. A lapse is recorded, never taken over, unless every side says `repeat`.
 */
export const claimScript: Script<readonly ['record', 'bucket'], typeof ARGS, ClaimReply> = defineScript({
  name: 'idempotency.claim',
  keys: ['record', 'bucket'],
  args: ARGS,
  reply: readClaim,
  lua: `${GET_RECORD}
if notAfter > 0 and now > notAfter then return { 'LATE', now, 0 } end
local due = now + leaseMs
${FRESH}
${REPLAY}
${READ_FIELDS}
if rState ~= 'N' and fp ~= '-' and rFp ~= '-' and rFp ~= fp then return { 'MISMATCH', now, 0, rState } end
due = ${int('due')}
local strict, how = ${stricter('rMode', 'mode')}, 'again'
if rToken == token then
  if rState ~= 'C' then return { 'ENDED', now, 0, rState } end
elseif rState == 'C' and now < tonumber(rLease) then return { 'BUSY', now, 0, rLease - now }
elseif rState == 'C' and strict ~= 'r' then
  rState, rMode, how, due = 'U', strict, 'lapsed', nowText
  ${because('lapsed')}
elseif rState == 'U' or rState == 'R' then
  return { 'U', now, 0, rFence, math.max(0, rSettle - now), rAttempt, strict, rPayload }
else how = rState == 'N' and 'retry' or 'takeover' end
local lost = redis.call('ZSCORE', bucket, '!')
local lossAgeMs = lost and math.max(0, now - lost) or -1
-- The server's clock went back: a mark from its future would be younger than every verdict to come.
if lost and tonumber(lost) > now then redis.call('ZADD', bucket, nowText, '!') end
if how == 'again' then
  ${RAISE}
  return { 'OWN', now, counter, rFence, rAttempt, how, lossAgeMs, rMode, math.max(0, now - rUntil) }
end
local closedAt = how == 'retry' and rLease or '0'
if how ~= 'lapsed' then
  rFence, rAttempt = ${int('math.max(us, rFence + 1)')}, ${int('rAttempt + 1')}
  rState, rToken, rMode, rVerdict, rUntil, rBy, rFp = 'C', token, strict, '-', closedAt, 'x', fp
  rLease, rSettle = due, ${int('now + leaseMs + settleMs')}
  rPayload = memo == '' and '{}' or '{"m":' .. memo .. '}'
end
${WRITE_RECORD}
if how == 'lapsed' then return { 'U', now, counter, rFence, math.max(0, rSettle - now), rAttempt, rMode, rPayload } end
return { 'OWN', now, counter, rFence, rAttempt, how, lossAgeMs, rMode, math.max(0, now - closedAt) }
`,
})

const TAGS = ['NEW', 'OWN', 'D', 'F', 'BUSY', 'U', 'MISMATCH', 'ENDED', 'LATE', 'FORMAT'] as const
const HOWS = { fresh: 'fresh', again: 'again', retry: 'retry', takeover: 'takeover' } as const

function readClaim(reply: ReplyReader): ClaimReply {
  const { tag, nowMs, counter } = readHead(reply, TAGS)
  switch (tag) {
    case 'NEW':
      return {
        tag: 'OWN',
        nowMs,
        counter,
        fence: reply.integer(),
        attempt: 1,
        how: 'fresh',
        lossAgeMs: -1,
        mode: undefined,
        closedAgeMs: 0,
      }
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
        closedAgeMs: reply.integer(),
      }
    case 'D':
    case 'F': {
      const record = parseRecord(reply.text())
      if (record === undefined) throw new RangeError('a record this version does not know')
      const { fence, attempt, source: by, payload } = record
      return { tag, nowMs, counter, fence, attempt, by, payload }
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
