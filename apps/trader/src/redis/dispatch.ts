import { defineScript, type ReplyReader, type Script } from '@safety/redis-core'
import { journalLua } from './journal-lua.ts'

const keys = ['intent', 'open', 'exposure', 'doubts', 'counts', 'kill', 'halts', 'gate', 'minute', 'stop'] as const
const args = {
  id: 'text',
  symbol: 'text',
  keepMs: 'integer',
  /** New for every ask; the same only when one ask is repeated because its answer was lost. */
  ask: 'text',
  leg: 'text',
  /** 0 when nothing was claimed. */
  fence: 'integer',
  attempt: 'integer',
  /** What the request is signed with: server time of the exchange. */
  signedAtMs: 'integer',
  recvWindowMs: 'integer',
  validUntilMs: 'integer',
  /** Worth of the order in 1e-8 quote units. */
  notional: 'text',
  /** 1: another intent in doubt denies entries of the symbol. */
  lock: 'integer',
  worker: 'text',
} as const

export type DispatchAnswer =
  | { readonly answer: 'go' }
  | { readonly answer: 'denied'; readonly state: 'DENIED' | 'LAPSED'; readonly reason: string }
  | { readonly answer: 'wait'; readonly waitMs: number }
  /** The right to place this intent belongs to someone else by now, or the intent is closed. */
  | { readonly answer: 'fenced'; readonly state: string }

function readAnswer(reply: ReplyReader): DispatchAnswer {
  const answer = reply.text()
  const text = reply.text()
  const reason = reply.text()
  const waitMs = reply.integer()
  switch (answer) {
    case 'go':
      return { answer }
    case 'denied':
      return { answer, state: text === 'LAPSED' ? 'LAPSED' : 'DENIED', reason }
    case 'wait':
      return { answer, waitMs }
    default:
      return { answer: 'fenced', state: text }
  }
}

/**
 * The last word before an order is signed: kill switch, halts, stopped symbols, the Retry-After gate and the shared
 * counters, read in the step that writes the journal. Before and after a kill are therefore the same for everybody.
 */
export const dispatchScript: Script<typeof keys, typeof args, DispatchAnswer> = defineScript({
  name: 'trader.dispatch',
  keys,
  args,
  reply: readAnswer,
  lua: `${journalLua}
redis.call('STRLEN', minute) redis.call('STRLEN', gate)
if field('ask') == ask then
  return { field('answer'), field('answerState'), field('answerReason'), tonumber(field('answerWaitMs')) }
end
local from = field('state')
local level = redis.call('HGET', kill, 'level') or ''
local halted = redis.call('HKEYS', halts)[1]
local gateMs = redis.call('PTTL', gate)
local others = redis.call('SCARD', doubts) - redis.call('SISMEMBER', doubts, id)
local entry = leg == 'entry'

-- Without a claim there is no fence to compare: whoever asks is believed.
local function mine()
  if from == '' or rank[from] >= 4 then return false end
  if fence == 0 then return true end
  return fence == (tonumber(field('fence')) or 0) and (from == 'RESERVED' or from == 'SENT')
end
local function refusal()
  if signedAtMs > validUntilMs then return 'expired' end
  if level ~= '' and leg ~= 'flatten' and (entry or level ~= 'halt-entries') then return 'kill-switch' end
  if entry and halted then return 'halted-' .. halted end
  if entry and redis.call('EXISTS', stop) == 1 then return 'symbol-stopped' end
  if entry and lock == 1 and others > 0 then return 'symbol-in-doubt' end
  return ''
end

local answer, state, reason, waitMs = 'go', '', '', 0
if not mine() then
  return { 'fenced', from, '', 0 }
end
reason = refusal()
if reason ~= '' then
  answer = 'denied'
  state = field('firstSignedAtMs') ~= '' and 'LAPSED' or 'DENIED'
  move(from, state, reason, worker)
elseif gateMs > 0 then
  answer, waitMs = 'wait', gateMs
else
  if field('notional') == '' then
    redis.call('HINCRBY', exposure, symbol, notional)
    redis.call('HSET', intent, 'notional', notional)
  end
  if redis.call('INCR', minute) == 1 then redis.call('PEXPIRE', minute, 60000) end
  redis.call('HSETNX', intent, 'firstSignedAtMs', whole(signedAtMs))
  redis.call('HSET', intent, 'signedAtMs', whole(signedAtMs), 'recvWindowMs', whole(recvWindowMs),
    'attempt', whole(attempt), 'worker', worker)
  redis.call('HDEL', intent, 'notFoundAtMs')
  move(from, 'SENT', '', worker)
end
redis.call('HSET', intent, 'ask', ask, 'answer', answer, 'answerState', state, 'answerReason', reason,
  'answerWaitMs', whole(waitMs))
keep()
return { answer, state, reason, waitMs }
`,
})
