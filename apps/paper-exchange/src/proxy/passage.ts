import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Timeline } from '../engine/timeline.ts'
import type { FaultBook, FaultDecision } from '../faults/fault-book.ts'
import type { FaultAction } from '../faults/fault-schema.ts'
import { createRateGate } from '../http/rate-gate.ts'
import type { RateGate } from '../http/rate-gate.ts'
import { breaksAnswer, faultRefusal, GARBAGE } from '../http/spoiled-answer.ts'
import type { AnswerAction } from '../http/spoiled-answer.ts'
import type { Refusal } from '../http/refusal.ts'
import type { TruthLog } from '../truth/entry.ts'
import { createHiddenOrders } from './hidden-orders.ts'
import type { HiddenOrders } from './hidden-orders.ts'
import { orderOf, placementFact, readPassing, refusalIn, signedAt } from './passing.ts'
import type { Passing } from './passing.ts'
import type { Upstream, UpstreamAnswer } from './upstream.ts'

/** What a proxy is made of. */
export interface PassageParts {
  upstream: Upstream
  timeline: Timeline
  truth: TruthLog
  faults: FaultBook
}

interface Passage extends PassageParts {
  gate: RateGate
  hidden: HiddenOrders
}

/** The upstream keeps its own limits; only a `limit` fault closes this gate. */
const NO_LIMIT = { weightLimit: 6000, banAfter: Number.MAX_SAFE_INTEGER, banMs: 0 }
const JSON_HEADERS: Readonly<Record<string, string>> = { 'content-type': 'application/json;charset=UTF-8' }
/** The place of an answer that was never asked for. */
const UNASKED: UpstreamAnswer = { status: 504, headers: {}, body: Buffer.alloc(0) }

/** Creates what carries requests to the upstream and answers back, with faults on the way. */
export function createPassage(parts: PassageParts): (request: FastifyRequest, reply: FastifyReply) => void {
  const passage: Passage = { ...parts, gate: createRateGate(NO_LIMIT), hidden: createHiddenOrders() }
  const { gate, timeline, truth } = passage
  return (request, reply) => {
    const passing = readPassing(request, reply)
    const source = passing.account ?? request.ip
    const entrance = gate.enter(source, timeline.nowMs())
    passing.requestSeq = truth.append({
      type: 'request',
      account: passing.account,
      method: passing.forwarded.method,
      path: passing.path,
      clientOrderId: passing.clientOrderId ?? null,
      signedAtMs: signedAt(passing),
      duringRetryAfter: entrance.strike,
    }).seq
    if (entrance.refusal !== undefined) return refuse(passage, passing, entrance.refusal)
    const decision = decide(passage, passing)
    if (decision?.phase === 'before') return meetBefore(passage, passing, source, decision.fault.action)
    return pass(passage, passing, decision?.fault.action)
  }
}

function decide({ faults, timeline, truth }: Passage, passing: Passing): FaultDecision | undefined {
  const { account, clientOrderId, sent, requestSeq } = passing
  const symbol = sent.get('symbol')
  const side = sent.get('side')
  const decision = faults.decide({
    channel: 'rest',
    method: passing.forwarded.method,
    path: passing.path,
    ...(account === null ? {} : { account }),
    ...(symbol === undefined ? {} : { symbol }),
    ...(side === undefined ? {} : { side }),
    ...(clientOrderId === undefined ? {} : { clientOrderId }),
    sinceStartMs: timeline.steadyMs(),
  })
  if (decision === undefined) return undefined
  passing.faultId = decision.fault.id
  truth.append({
    type: 'fault',
    account,
    faultId: decision.fault.id,
    action: decision.fault.action.type,
    phase: decision.phase,
    requestSeq,
    clientOrderId: clientOrderId ?? null,
  })
  return decision
}

/** The upstream has not seen the request yet. */
function meetBefore(passage: Passage, passing: Passing, source: string, action: FaultAction): void {
  const { timeline, gate } = passage
  if (breaksAnswer(action)) return spoil(passage, passing, action, UNASKED)
  if (action.type === 'limit') {
    const limit = { seconds: action.retryAfterS, ban: action.ban }
    return refuse(passage, passing, gate.close(source, limit, timeline.nowMs()))
  }
  if (action.type === 'delay') {
    timeline.schedule(() => pass(passage, passing, undefined), action.ms)
    return
  }
  pass(passage, passing, undefined)
  if (action.type !== 'duplicate') return
  for (let copy = 1; copy < action.times; copy++) void exchange(passage, passing)
}

/** Forwards, reads the whole answer, then lets it meet its fault. */
function pass(passage: Passage, passing: Passing, after: FaultAction | undefined): void {
  void exchange(passage, passing).then(answer => meetAfter(passage, passing, after, answer))
}

function meetAfter(passage: Passage, passing: Passing, after: FaultAction | undefined, answer: UpstreamAnswer): void {
  const { timeline, hidden } = passage
  if (after === undefined) return give(passage, passing, answer)
  if (breaksAnswer(after)) return spoil(passage, passing, after, answer)
  if (after.type === 'delay') {
    timeline.schedule(() => give(passage, passing, answer), after.ms)
    return
  }
  const order = orderOf(answer)
  if (after.type === 'hide' && order !== undefined) hidden.hide(order.orderId, timeline.nowMs() + after.ms)
  give(passage, passing, answer)
}

/**
 * Asks the upstream and writes down what it has done, before any fault can keep the client from knowing it. Never rejects: an
 * upstream that cannot be reached is an answer of its own.
 */
async function exchange(passage: Passage, passing: Passing): Promise<UpstreamAnswer> {
  try {
    const answer = await passage.upstream.forward(passing.forwarded)
    const fact = placementFact(passing, answer)
    if (fact !== undefined) passage.truth.append(fact)
    return passage.hidden.filter(passing.path, answer, passage.timeline.nowMs())
  } catch (error) {
    const msg = `The upstream cannot be reached: ${error instanceof Error ? error.message : String(error)}`
    return { status: 502, headers: JSON_HEADERS, body: Buffer.from(JSON.stringify({ code: -1001, msg })) }
  }
}

function spoil(passage: Passage, passing: Passing, action: AnswerAction, answer: UpstreamAnswer): void {
  const { timeline } = passage
  switch (action.type) {
    case 'hang':
      timeline.schedule(() => silently(passage, passing, answer, () => passing.answer.end()), action.ms)
      return
    case 'reset':
      return silently(passage, passing, answer, () => passing.answer.reset())
    case 'close':
      return silently(passage, passing, answer, () => passing.answer.end())
    case 'status':
      return refuse(passage, passing, faultRefusal(action, timeline.nowMs()))
    case 'truncate':
      conclude(passage, passing, answer, 'cut')
      return passing.answer.cut(answer.status, answer.headers, answer.body, action.bytes)
    case 'garbage':
      return give(passage, passing, { status: 200, headers: JSON_HEADERS, body: Buffer.from(GARBAGE) })
  }
}

function give(passage: Passage, passing: Passing, answer: UpstreamAnswer): void {
  conclude(passage, passing, answer, 'full')
  passing.answer.send(answer.status, answer.headers, answer.body)
}

function silently(passage: Passage, passing: Passing, answer: UpstreamAnswer, act: () => void): void {
  conclude(passage, passing, answer, 'none')
  act()
}

function refuse(passage: Passage, passing: Passing, { status, code, msg, html, retryAfter }: Refusal): void {
  const headers: Record<string, string> = html === undefined ? { ...JSON_HEADERS } : { 'content-type': 'text/html' }
  if (retryAfter !== undefined) headers['retry-after'] = String(retryAfter.seconds)
  give(passage, passing, { status, headers, body: Buffer.from(html ?? JSON.stringify({ code, msg })) })
}

function conclude({ truth }: Passage, passing: Passing, answer: UpstreamAnswer, sent: 'full' | 'cut' | 'none'): void {
  truth.append({
    type: 'answer',
    account: passing.account,
    requestSeq: passing.requestSeq,
    status: answer.status,
    code: refusalIn(answer)?.code ?? null,
    sent: passing.answer.gone ? 'none' : sent,
    faultId: passing.faultId,
  })
}
