import type { ReplyReader } from '@safety/redis-core'
import { z } from 'zod'

import type { SharedState } from '../fleet-view.ts'
import type { ReplyCode, StoreReply } from '../store.ts'
import { decodeMove, decodeOrder } from './record.ts'

const code: z.ZodType<ReplyCode> = z.enum([
  'adopt',
  'lost',
  'counted',
  'no-quorum',
  'confirm',
  'other-config',
  'granted',
  'later',
  'late',
  'done',
  'held',
  'full',
])
/** No state at all, which only `lost` and `late` answer, reads as closed: epoch 0 says that it means nothing. */
const state: z.ZodType<SharedState> = z
  .enum(['', 'closed', 'open', 'half-open', 'forced-open', 'disabled'])
  .transform(text => (text === '' ? 'closed' : text))

/** Reads what `answer` in the head wrote. */
export function readReply(reply: ReplyReader): StoreReply {
  const head = {
    code: code.parse(reply.text()),
    state: state.parse(reply.text()),
    epoch: reply.integer(),
    untilMs: reply.integer(),
    opens: reply.integer(),
  }
  reply.integer() // the last move's time, of interest to the scripts alone
  const nowMs = reply.integer()
  const flags = reply.integer()
  const counts = [reply.integer(), reply.integer(), reply.integer()] as const
  const ended = reply.integer()
  const move = reply.text()
  const orders = reply.texts().map(decodeOrder)
  reply.end()
  return {
    ...head,
    nowMs,
    moved: flags % 2 === 1,
    reseeded: flags >= 2,
    counts,
    ended,
    move: move === '' ? null : decodeMove(move),
    orders,
  }
}
