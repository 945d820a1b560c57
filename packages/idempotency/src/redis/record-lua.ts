// The Lua every script on a record is composed of. It is text, not functions: a closure costs a script as much as a read.

/** Server time as `us` and `now` (microseconds, milliseconds), both exact: they stay below 2^53 until the year 2255. */
const SERVER_TIME = `
local time = redis.call('TIME')
local us = time[1] * 1000000 + time[2]
local now = (us - us % 1000) / 1000
`

/**
 * In front of every script that has a record: server time, and the stored text. Nothing is written before this is
 * through, so that a wrong type leaves nothing behind.
 */
export const GET_RECORD: string = `${SERVER_TIME}
local stored = redis.call('GET', record)
`

/**
 * Behind `GET_RECORD`: the fields of the stored text as texts (`rState` is nil when there is no record), and `now` as text.
 *
 * In state N `rLease` is as of when that is known: of a verdict, when it was given; of an executor that ran nothing, when
 * it was granted the key; 0 of a claim nobody knows the fate of. A loss of the store after that may have hit the key.
 * `rVerdict` is the token of the reconciler or the id of the verdict, and behind a `!` the token last counted as conflict.
 */
export const READ_FIELDS = `
local nowText = string.format('%.0f', now)
local rState, rToken, rFence, rLease, rAttempt, rSettle, rMode, rVerdict, rUntil, rConflicts, rBy, rFp, rBorn, rPayload
if stored then
  rState, rToken, rFence, rLease, rAttempt, rSettle, rMode, rVerdict, rUntil, rConflicts, rBy, rFp, rBorn, rPayload =
    string.match(stored, '^1|([CDFNUR])|([^|]*)|(%d+)|(%d+)|(%d+)|(%d+)|([rcm])|([^|]*)|(%d+)|(%d+)|([xrco])|([^|]*)|(%d+)|(.*)$')
  if not rState then return { 'FORMAT', now, 0 } end
end
`

/** Both in one, for scripts that have no shorter way. */
export const READ_RECORD: string = GET_RECORD + READ_FIELDS

/** Raises the bucket's counter `#`, as `counter`; the script that creates it draws its nonce from TIME. */
export const RAISE = `
local counter = tonumber(redis.call('ZINCRBY', bucket, 4096, '#'))
if counter == 4096 then counter = tonumber(redis.call('ZINCRBY', bucket, 1 + us % 4095, '#')) end
`

/** The record's text, of its fields. */
const TEXT = `'1|' .. rState .. '|' .. rToken .. '|' .. rFence .. '|' .. rLease .. '|' .. rAttempt .. '|' .. rSettle .. '|' .. rMode
  .. '|' .. rVerdict .. '|' .. rUntil .. '|' .. rConflicts .. '|' .. rBy .. '|' .. rFp .. '|' .. rBorn .. '|' .. rPayload`

/**
 * The one way to write a record: the counter first, as a full memory or a wrong type fails there and leaves nothing; then the
 * record; then its place among the open ones, due at `due`, a text. What is final lives for `keepMs`, a `repeat` claim that long
 * beyond its lease, everything else that is open for ever.
 */
export const WRITE_RECORD: string = `
${RAISE}
local text = ${TEXT}
local closed = rState == 'D' or rState == 'F' or rState == 'N'
if closed then redis.call('SET', record, text, 'PX', keepMs)
elseif rState == 'C' and rMode == 'r' then redis.call('SET', record, text, 'PX', rLease - now + keepMs)
else redis.call('SET', record, text) end
if closed then redis.call('ZREM', bucket, member) else redis.call('ZADD', bucket, due, member) end
`

/** Like `WRITE_RECORD` where nothing but the count of conflicts changes: lifetime and due time stay. */
export const REWRITE_RECORD: string = `
${RAISE}
redis.call('SET', record, ${TEXT}, 'KEEPTTL')
`

/** Says in the payload of an open record why it is in its state, unless it says so already. */
export function because(reason: string): string {
  return `
if rPayload == '{}' then rPayload = '{"r":"${reason}"}'
elseif not string.find(rPayload, '"r":"[a-z%-]+"}$') then rPayload = string.sub(rPayload, 1, -2) .. ',"r":"${reason}"}' end
`
}

/** The stricter of two modes: manual, reconcile, repeat. */
export function stricter(a: string, b: string): string {
  return `((${a} == 'm' or ${b} == 'm') and 'm' or (${a} == 'c' or ${b} == 'c') and 'c' or 'r')`
}

/** A whole number as text; `..` would keep 14 digits. */
export function int(value: string): string {
  return `string.format('%.0f', ${value})`
}
