import { defineScript } from '@safety/redis-core'
import type { ReplyReader, Script } from '@safety/redis-core'

import { stateOf } from '../record.ts'
import type { RenewReply } from '../store.ts'
import { int, READ_RECORD, WRITE_RECORD } from './record-lua.ts'
import { readHead } from './reply.ts'

const ARGS = {
  member: 'text',
  token: 'text',
  fence: 'text',
  fp: 'text',
  mode: 'text',
  memo: 'text',
  attempt: 'integer',
  leaseMs: 'integer',
  keepMs: 'text',
  settleMs: 'integer',
} as const

/** Moves the lease and the settle time of an own claim; puts back a claim the store lost. */
export const renewScript: Script<readonly ['record', 'bucket'], typeof ARGS, RenewReply> = defineScript({
  name: 'idempotency.renew',
  keys: ['record', 'bucket'],
  args: ARGS,
  reply: readRenew,
  lua: `${READ_RECORD}
local how, due = 'renewed', ${int('now + leaseMs')}
if not stored then
  how = 'recreated'
  rState, rToken, rFence, rAttempt, rMode = 'C', token, fence, ${int('attempt')}, mode
  rVerdict, rUntil, rConflicts, rBy, rFp, rBorn = '-', '0', '0', 'x', fp, nowText
  rPayload = memo == '' and '{}' or '{"m":' .. memo .. '}'
elseif rState ~= 'C' or rToken ~= token or rFence ~= fence then return { 'LOST', now, 0, rState } end
rLease, rSettle = due, settleMs == 0 and due or ${int('now + leaseMs + settleMs')}
${WRITE_RECORD}
return { 'OK', now, counter, how }
`,
})

function readRenew(reply: ReplyReader): RenewReply {
  const { tag, nowMs, counter } = readHead(reply, ['OK', 'LOST', 'FORMAT'])
  switch (tag) {
    case 'OK':
      return { tag, nowMs, counter, how: reply.text() === 'recreated' ? 'recreated' : 'renewed' }
    case 'LOST':
      return { tag, nowMs, counter, state: stateOf(reply.text()) }
    case 'FORMAT':
      break
  }
  return { tag, nowMs, counter }
}
