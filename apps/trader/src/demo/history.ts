import type { TruthLine } from './exchange-control.ts'
import type { LoggedLine } from './side.ts'
import type { WorkerLine } from './worker-lines.ts'
import type { WorkerEvent } from './worker-slot.ts'

/** A time in which the run did something to the world both sides live in. */
export interface OutageSpan {
  readonly fault: string
  readonly name: string
  readonly fromUs: number
  readonly toUs: number
}

/** The first line of `history.jsonl`. */
export interface HistoryHeader {
  readonly schema: 'safety-chaos.history/1'
  readonly experiment: 'trader-demo'
  readonly mode: 'live'
  readonly seed: number
  /** Redis keeps what it acknowledged: it is killed, and its append-only file is complete. */
  readonly durability: 'A'
  readonly sink: 'plain'
  readonly promise: Readonly<Record<string, number>>
}

export interface HistoryEvent {
  readonly tUs: number
  readonly type: string
  readonly p: string
  readonly [field: string]: unknown
}

/** A line of `ledger.jsonl`: one order the exchange accepted. */
export interface LedgerLine {
  readonly i: number
  readonly tUs: number
  readonly effect: string
  readonly key: string
  readonly op: string
  readonly p: string
  readonly intent: string
  readonly accepted: true
}

function fromWorkerLine(process: string, line: WorkerLine): HistoryEvent | undefined {
  const { tUs } = line
  switch (line.type) {
    case 'invoke':
      return { tUs, type: 'invoke', p: process, op: line.op, f: 'order', key: line.key, fp: line.fp }
    case 'request':
      return { tUs, type: 'effect-start', p: process, op: line.op, key: line.key }
    case 'return': {
      const { type, op, key, outcome, value, replayed, recorded, code } = line
      return { tUs, type, p: process, op, key, outcome, value, replayed, recorded, code }
    }
    case 'transition':
      if (line.to === 'UNKNOWN') return { tUs, type: 'doubt', p: process, key: line.key, ref: line.key }
      return undefined
    case 'ready':
    case 'status':
    case 'drained':
      return undefined
    default:
      return line satisfies never
  }
}

/**
 * One side's history in the format of the chaos checkers, ordered by time, without header and end line.
 *
 * @param outages what hit the side from outside, such as the killed Redis
 */
export function sideHistory(
  log: readonly LoggedLine[],
  events: readonly WorkerEvent[],
  outages: readonly OutageSpan[],
): HistoryEvent[] {
  const lines: HistoryEvent[] = []
  for (const { process, line } of log) {
    const event = fromWorkerLine(process, line)
    if (event !== undefined) lines.push(event)
  }
  for (const { tUs, process, worker, event } of events) {
    lines.push({ tUs, type: 'worker', p: process, worker, event })
  }
  for (const { fault, name, fromUs, toUs } of outages) {
    lines.push({ tUs: fromUs, type: 'fault-start', p: 'demo', fault, name, params: {} })
    lines.push({ tUs: toUs, type: 'fault-stop', p: 'demo', fault, evidence: 1 })
  }
  return lines.sort((a, b) => a.tUs - b.tUs)
}

interface Sender {
  readonly op: string
  readonly process: string
}

/** Which operation sent the request an order came from: same intent, signed at the same millisecond. */
function senders(log: readonly LoggedLine[]): Map<string, Sender> {
  const found = new Map<string, Sender>()
  for (const { process, line } of log) {
    if (line.type === 'request') found.set(`${line.key}|${line.signedAtMs}`, { op: line.op, process })
  }
  return found
}

/** The orders of one account as a ledger; an order nobody of ours sent has the operation `-`. */
export function sideLedger(truth: readonly TruthLine[], account: string, log: readonly LoggedLine[]): LedgerLine[] {
  const sentBy = senders(log)
  return truth
    .filter(entry => entry.type === 'accepted' && entry.account === account)
    .map((entry, at) => {
      const key = String(entry['clientOrderId'])
      const sender = sentBy.get(`${key}|${String(entry['signedAtMs'])}`)
      return {
        i: at + 1,
        tUs: entry.atMs * 1000,
        effect: String(entry['orderId']),
        key,
        op: sender?.op ?? '-',
        p: sender?.process ?? '-',
        intent: key,
        accepted: true,
      }
    })
}

/** The whole text of `history.jsonl`. */
export function historyText(header: HistoryHeader, events: readonly HistoryEvent[]): string {
  const numbered = events.map((event, at) => JSON.stringify({ i: at + 1, ...event }))
  return `${[JSON.stringify(header), ...numbered, JSON.stringify({ type: 'end', lines: events.length })].join('\n')}\n`
}

/** JSON lines with a newline after each. */
export function jsonLines(lines: readonly unknown[]): string {
  return lines.map(line => `${JSON.stringify(line)}\n`).join('')
}
