import { defineScript } from '@safety/redis-core'
import type { ReplyReader, Script } from '@safety/redis-core'

import type { AbandonReply } from '../store.ts'
import { because, READ_RECORD, WRITE_RECORD } from './record-lua.ts'
import { readHead } from './reply.ts'

const ARGS = { member: 'text', token: 'text', mode: 'text', keepMs: 'text' } as const

/**
 * Sent behind a claim whose fate is unknown: ends that claim, or leaves its token as ended for 5 minutes, so that the
 * claim, should it arrive after all, is refused.
 */
export const abandonScript: Script<readonly ['record', 'bucket'], typeof ARGS, AbandonReply> = defineScript({
  name: 'idempotency.abandon',
  keys: ['record', 'bucket'],
  args: ARGS,
  reply: readAbandon,
  lua: `${READ_RECORD}
local due = nowText
if not stored then
  keepMs = '300000'
  rState, rToken, rFence, rAttempt, rMode, rVerdict, rUntil, rConflicts = 'N', token, '0', '0', mode, '-', '0', '0'
  rLease, rSettle, rBy, rFp, rBorn, rPayload = '0', nowText, 'x', '-', nowText, '{"r":"not-run"}'
elseif rState == 'C' and rToken == token then
  rState, rLease = 'N', '0'
  ${because('not-run')}
else return { 'OK', now, 0 } end
${WRITE_RECORD}
return { 'OK', now, counter }
`,
})

function readAbandon(reply: ReplyReader): AbandonReply {
  return readHead(reply, ['OK', 'FORMAT'])
}
