import type { ExchangeCore, Outcome } from '../exchange-core.ts'
import type { OrderCount } from '../engine/exchange-engine.ts'
import type { Call } from './admission.ts'
import { engineTimedOut } from './refusal.ts'
import type { Refusal } from './refusal.ts'

/** An answer before a channel gives it its form. */
export type Reply = { status: number; usedWeight: number } & (
  | { kind: 'result'; body: unknown; orderCount: OrderCount | undefined }
  | { kind: 'refusal'; refusal: Refusal }
  | { kind: 'text'; text: string }
)

/** Where an answer leaves; one per request. */
export interface AnswerPort {
  /** The client has left. */
  readonly gone: boolean
  send(reply: Reply): void
  /** Sends the head and `bytes` bytes of the body, then ends the connection. */
  cut(reply: Reply, bytes: number): void
  reset(): void
  end(): void
}

/** What is to be said. */
export type Content =
  | { kind: 'result'; outcome: Outcome }
  | { kind: 'refusal'; refusal: Refusal }
  | { kind: 'text'; text: string }

/** A request on its way through the exchange. */
export interface Running {
  readonly call: Call
  readonly port: AnswerPort
  readonly source: string
  readonly account: string | null
  readonly requestSeq: number
  faultId: string | null
  answered: boolean
  /** Refused by the gate or the weight: costs nothing more. */
  uncharged: boolean
  timeout: { cancel(): void } | undefined
}

/** Answers requests once each, and writes down what was sent. */
export interface Answering {
  answer(running: Running, content: Content): void
  refuse(running: Running, refusal: Refusal): void
  /** Sends only the beginning of the body. */
  cut(running: Running, content: Content, bytes: number): void
  /** Says nothing; `act` does to the socket what is to happen instead. */
  silently(running: Running, content: Content, act: () => void): void
  /** Waits on server time; whoever waits longer than the engine's patience is answered, and goes on inside. */
  hold(running: Running, ms: number, then: () => void): void
}

/** Creates the answering side of the exchange. */
export function createAnswering(core: ExchangeCore): Answering {
  const { engine, gate } = core
  const { timeline } = engine

  const finish = (
    running: Running,
    content: Content,
    sent: 'full' | 'cut' | 'none',
    act: (reply: Reply) => void,
  ): void => {
    if (running.answered) return
    running.answered = true
    running.timeout?.cancel()
    const failureWeight = running.call.endpoint.failureWeight ?? 0
    if (statusOf(content) >= 400 && failureWeight > 0 && !running.uncharged) {
      gate.add(running.source, failureWeight, timeline.nowMs())
    }
    engine.append({
      type: 'answer',
      account: running.account,
      requestSeq: running.requestSeq,
      status: statusOf(content),
      code: content.kind === 'refusal' && content.refusal.html === undefined ? content.refusal.code : null,
      sent: running.port.gone ? 'none' : sent,
      faultId: running.faultId,
    })
    act(replyOf(content, gate.usedWeight(running.source, timeline.nowMs())))
  }

  const answer = (running: Running, content: Content): void =>
    finish(running, content, 'full', reply => running.port.send(reply))

  const refuse = (running: Running, refusal: Refusal): void => answer(running, { kind: 'refusal', refusal })

  return {
    answer,
    refuse,
    cut: (running, content, bytes) => finish(running, content, 'cut', reply => running.port.cut(reply, bytes)),
    silently: (running, content, act) => finish(running, content, 'none', act),
    hold: (running, ms, then) => {
      timeline.schedule(then, ms)
      if (ms <= core.engineTimeoutMs || running.timeout !== undefined) return
      running.timeout = timeline.schedule(() => refuse(running, engineTimedOut), core.engineTimeoutMs)
    },
  }
}

function statusOf(content: Content): number {
  return content.kind === 'refusal' ? content.refusal.status : 200
}

function replyOf(content: Content, usedWeight: number): Reply {
  const head = { status: statusOf(content), usedWeight }
  if (content.kind === 'refusal') return { ...head, kind: 'refusal', refusal: content.refusal }
  if (content.kind === 'text') return { ...head, kind: 'text', text: content.text }
  return { ...head, kind: 'result', body: content.outcome.body, orderCount: content.outcome.orderCount }
}
