import type { ExchangeCore, Outcome } from '../exchange-core.ts'
import type { FaultAction } from '../faults/fault-schema.ts'
import { admit, clientOrderIdOf, signedAtOf, sourceOf } from './admission.ts'
import type { Admitted, Call } from './admission.ts'
import { createAnswering } from './answering.ts'
import type { Answering, AnswerPort, Content, Running } from './answering.ts'
import { isRefusal } from './parameters.ts'
import { engineTimedOut } from './refusal.ts'
import type { Refusal } from './refusal.ts'
import { breaksAnswer, faultRefusal, GARBAGE } from './spoiled-answer.ts'
import type { AnswerAction } from './spoiled-answer.ts'
import { checkAge } from './time-check.ts'

/** Takes calls through the checks of section 4 in their order: gate, weight, key, parameters, time, signature, then fault, filters, state, engine. */
export interface RequestFlow {
  handle(call: Call, port: AnswerPort): void
}

/** Creates the flow. It is synchronous: whatever waits, waits as a task on the timeline. */
export function createRequestFlow(core: ExchangeCore): RequestFlow {
  const { engine, gate } = core
  const { timeline } = engine
  const answering = createAnswering(core)

  const record = (call: Call, port: AnswerPort, source: string, duringRetryAfter: boolean): Running => {
    const account = call.apiKey === undefined ? null : (core.keys.find(call.apiKey)?.name ?? null)
    const requestSeq = engine.append({
      type: 'request',
      account,
      method: call.method,
      path: call.path,
      clientOrderId: clientOrderIdOf(call) ?? null,
      signedAtMs: signedAtOf(call) ?? null,
      duringRetryAfter,
    })
    const fresh = { faultId: null, answered: false, uncharged: false, timeout: undefined }
    return { call, port, source, account, requestSeq, ...fresh }
  }

  return {
    handle: (call, port) => {
      timeline.runDue()
      const nowMs = timeline.nowMs()
      const source = sourceOf(core, call)
      const entrance = gate.enter(source, nowMs)
      const running = record(call, port, source, entrance.strike)
      const refused = entrance.refusal ?? gate.charge(source, call.endpoint.weight(call.sent.values), nowMs)
      if (refused !== undefined) {
        running.uncharged = true
        answering.refuse(running, refused)
      } else {
        const admitted = admit(core, call, nowMs)
        if (isRefusal(admitted)) answering.refuse(running, admitted)
        else meetFault(core, answering, running, admitted)
      }
      timeline.runDue()
    },
  }
}

function meetFault(core: ExchangeCore, answering: Answering, running: Running, admitted: Admitted): void {
  const { call, account, requestSeq } = running
  const { symbol, side } = admitted.prepared
  const clientOrderId = clientOrderIdOf(call)
  const decision = core.engine.decideFault(
    {
      channel: call.channel,
      method: call.method,
      path: call.path,
      ...(account === null ? {} : { account }),
      ...(symbol === undefined ? {} : { symbol }),
      ...(side === undefined ? {} : { side }),
      ...(clientOrderId === undefined ? {} : { clientOrderId }),
    },
    { requestSeq },
  )
  if (decision === undefined) return enter(core, answering, running, admitted, undefined)
  running.faultId = decision.fault.id
  if (decision.phase === 'before') meetBefore(core, answering, running, admitted, decision.fault.action)
  else enter(core, answering, running, admitted, decision.fault.action)
}

/** Between the two time tests: the engine has not seen the request yet. */
function meetBefore(
  core: ExchangeCore,
  answering: Answering,
  running: Running,
  admitted: Admitted,
  action: FaultAction,
): void {
  if (action.type === 'delay') {
    return answering.hold(running, action.ms, () => enter(core, answering, running, admitted, undefined))
  }
  if (action.type === 'limit') {
    running.uncharged = true
    const limit = { seconds: action.retryAfterS, ban: action.ban }
    return answering.refuse(running, core.gate.close(running.source, limit, core.engine.timeline.nowMs()))
  }
  if (breaksAnswer(action)) return spoil(core, answering, running, action, { kind: 'refusal', refusal: engineTimedOut })
  enter(core, answering, running, admitted, undefined)
  if (action.type !== 'duplicate') return
  for (let copy = 1; copy < action.times; copy++) decide(core, admitted)
}

/** The second half of the time test, then filters, state and engine, then what the answer meets. */
function enter(
  core: ExchangeCore,
  answering: Answering,
  running: Running,
  admitted: Admitted,
  after: FaultAction | undefined,
): void {
  const outcome = decide(core, admitted)
  const content: Content = isRefusal(outcome) ? { kind: 'refusal', refusal: outcome } : { kind: 'result', outcome }
  if (after === undefined) return answering.answer(running, content)
  if (after.type === 'delay') return answering.hold(running, after.ms, () => answering.answer(running, content))
  if (breaksAnswer(after)) return spoil(core, answering, running, after, content)
  if (after.type === 'hide' && content.kind === 'result' && content.outcome.orderId !== undefined) {
    core.engine.hideOrder(content.outcome.orderId, after.ms)
  }
  return answering.answer(running, content)
}

function decide(core: ExchangeCore, { prepared, time }: Admitted): Outcome | Refusal {
  const late = time === undefined ? undefined : checkAge(time, core.engine.timeline.nowMs())
  if (late === undefined) return prepared.run()
  prepared.late?.(late)
  return late
}

/** What is the same on both sides of the engine. `content` is what would have been said. */
function spoil(
  core: ExchangeCore,
  answering: Answering,
  running: Running,
  action: AnswerAction,
  content: Content,
): void {
  const { timeline } = core.engine
  const { port } = running
  switch (action.type) {
    case 'hang':
      timeline.schedule(() => answering.silently(running, content, () => port.end()), action.ms)
      return
    case 'reset':
      return answering.silently(running, content, () => port.reset())
    case 'close':
      return answering.silently(running, content, () => port.end())
    case 'status':
      return answering.refuse(running, faultRefusal(action, timeline.nowMs()))
    case 'truncate':
      return answering.cut(running, content, action.bytes)
    case 'garbage':
      return answering.answer(running, { kind: 'text', text: GARBAGE })
  }
}
