import type { FastifyReply } from 'fastify'
import { takeOver } from './raw-answer.ts'
import type { AnswerPort, Reply } from './answering.ts'

/** The HTTP answer of one request in the form the exchange gives it. */
export function createRestPort(reply: FastifyReply): AnswerPort {
  const answer = takeOver(reply)
  return {
    get gone() {
      return answer.gone
    },
    send: content => {
      const { headers, body } = render(content)
      answer.send(content.status, headers, body)
    },
    cut: (content, bytes) => {
      const { headers, body } = render(content)
      answer.cut(content.status, headers, body, bytes)
    },
    reset: () => answer.reset(),
    end: () => answer.end(),
  }
}

function render(content: Reply): { headers: Record<string, string>; body: Buffer } {
  const headers: Record<string, string> = {
    'content-type': 'application/json;charset=UTF-8',
    'x-mbx-used-weight': String(content.usedWeight),
    'x-mbx-used-weight-1m': String(content.usedWeight),
  }
  return { headers, body: Buffer.from(textOf(content, headers), 'utf8') }
}

function textOf(content: Reply, headers: Record<string, string>): string {
  if (content.kind === 'text') return content.text
  if (content.kind === 'result') {
    if (content.orderCount !== undefined) {
      headers['x-mbx-order-count-10s'] = String(content.orderCount.tenSeconds)
      headers['x-mbx-order-count-1d'] = String(content.orderCount.day)
    }
    return JSON.stringify(content.body)
  }
  const { code, msg, retryAfter, html } = content.refusal
  if (retryAfter !== undefined) headers['retry-after'] = String(retryAfter.seconds)
  if (html === undefined) return JSON.stringify({ code, msg })
  headers['content-type'] = 'text/html'
  return html
}
