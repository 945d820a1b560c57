import { defineScript } from '@safety/redis-core'
import type { ReplyReader, Script } from '@safety/redis-core'

import { modeOf, stateOf } from '../record.ts'
import type { ReconcileReply } from '../store.ts'
import { because, int, RAISE, READ_RECORD, stricter, WRITE_RECORD } from './record-lua.ts'
import { readHead } from './reply.ts'

const ARGS = { member: 'text', rtoken: 'text', mode: 'text', leaseMs: 'integer', keepMs: 'text' } as const

/**
 * Takes a doubt, or a lapse, for one reconciler at a time. A claim that lapsed where every side says `repeat` needs none:
 * it becomes not run.
 */
export const reconcileScript: Script<readonly ['record', 'bucket'], typeof ARGS, ReconcileReply> = defineScript({
  name: 'idempotency.reconcile',
  keys: ['record', 'bucket'],
  args: ARGS,
  reply: readReconcile,
  lua: `${READ_RECORD}
if not stored or rState == 'D' or rState == 'F' or rState == 'N' then
  if not redis.call('ZSCORE', bucket, member) then return { 'NO', now, 0, rState or '-', 0 } end
  ${RAISE}
  redis.call('ZREM', bucket, member)
  return { 'NO', now, counter, rState or '-', 0 }
end
if rState == 'C' and now < tonumber(rLease) then return { 'NO', now, 0, 'C', rLease - now } end
if rState == 'R' and string.match(rVerdict, '^[^!]*') ~= rtoken and now < tonumber(rUntil) then
  return { 'NO', now, 0, 'R', rUntil - now }
end
local was, due = rState, ${int('now + leaseMs')}
if was == 'C' then
  rMode = ${stricter('rMode', 'mode')}
  ${because('lapsed')}
end
if was == 'C' and rMode == 'r' then rState, rLease = 'N', nowText
else
  rState, rUntil = 'R', due
  rVerdict = rtoken .. (string.match(rVerdict, '!.*$') or '')
end
${WRITE_RECORD}
if rState == 'N' then return { 'LAPSED', now, counter, rFence, rAttempt, rToken } end
return { 'RECON', now, counter, rFence, math.max(0, rSettle - now), rAttempt, rMode, math.max(0, now - rLease), was, rToken, rPayload }
`,
})

function readReconcile(reply: ReplyReader): ReconcileReply {
  const { tag, nowMs, counter } = readHead(reply, ['RECON', 'LAPSED', 'NO', 'FORMAT'])
  switch (tag) {
    case 'RECON':
      return {
        tag,
        nowMs,
        counter,
        fence: reply.integer(),
        settleInMs: reply.integer(),
        attempt: reply.integer(),
        mode: modeOf(reply.text()),
        ageMs: reply.integer(),
        was: stateOf(reply.text()),
        token: reply.text(),
        payload: reply.text(),
      }
    case 'LAPSED':
      return { tag, nowMs, counter, fence: reply.integer(), attempt: reply.integer(), token: reply.text() }
    case 'NO': {
      const state = reply.text()
      return { tag, nowMs, counter, state: state === '-' ? undefined : stateOf(state), leftMs: reply.integer() }
    }
    case 'FORMAT':
      break
  }
  return { tag, nowMs, counter }
}
