import type { Clock } from '@safety/redis-core'
import { destination, pino } from 'pino'
import { shortId } from './orders/intent.ts'
import type { Report, TraderEvent } from './report.ts'

const levels: Readonly<Record<TraderEvent['type'], 'info' | 'warn' | 'error' | 'debug'>> = {
  ready: 'info',
  invoke: 'debug',
  request: 'debug',
  return: 'debug',
  transition: 'info',
  alert: 'warn',
  notice: 'info',
  error: 'error',
  status: 'debug',
  drained: 'info',
  stopped: 'info',
}

/**
 * Writes each event as one JSON line to standard output, with `tUs`, epoch microseconds. A line is out before the call
 * returns: what a process said before it was killed was said.
 */
export function createLineReport(clock: Clock): Report {
  const log = pino(
    {
      base: null,
      level: 'debug',
      // Event types are what is read; numbers for levels would say less.
      formatters: { level: label => ({ level: label }) },
      timestamp: () => `,"tUs":${Math.round(clock.now() * 1000)}`,
    },
    destination({ fd: 1, sync: true }),
  )
  return event => log[levels[event.type]](event)
}

function seconds(afterMs: number | undefined): string {
  return afterMs === undefined ? '' : ` after ${afterMs} ms`
}

function transitionLine(event: Extract<TraderEvent, { type: 'transition' }>): string {
  const id = `intent ${shortId(event.key)}`
  const reason = event.reason === undefined ? '' : ` (${event.reason})`
  const order = event.orderId === undefined ? '' : ` order ${event.orderId}`
  const sources: Readonly<Record<string, string>> = {
    stream: ' by user stream',
    lookup: ' by lookup',
    reconcile: ' by reconciliation',
  }
  const by = sources[event.by] ?? ''
  const what = event.from === null ? ` ${event.symbol} ${event.side}` : ''
  const then = event.to === 'UNKNOWN' ? ', resolving' : ''
  return `${id}${what} ${event.to}${order}${by}${seconds(event.afterMs)}${reason}${then}`
}

/** An event as people read it; `undefined` for what only machines read. */
export function lineOf(event: TraderEvent): string | undefined {
  switch (event.type) {
    case 'transition':
      return transitionLine(event)
    case 'alert':
      return `ALERT ${event.alert}${event.key === undefined ? '' : ` ${shortId(event.key)}`}: ${event.detail}`
    case 'notice':
      return `${event.notice}: ${event.detail}`
    case 'error':
      return `error ${event.reason}: ${event.detail}`
    case 'stopped':
      return event.open === 0
        ? 'stopped; nothing is open'
        : `stopped; ${event.open} intents stay open and resume as UNKNOWN`
    case 'ready':
      return 'trading'
    case 'invoke':
    case 'request':
    case 'return':
    case 'status':
    case 'drained':
      return undefined
    default:
      return event satisfies never
  }
}
