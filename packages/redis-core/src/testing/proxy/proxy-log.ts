import type { Request } from './request.ts'
import type { Direction, FaultAction } from './rule.ts'

/** A rule that acted. */
export interface ProxyFault {
  /** Milliseconds since the proxy started. */
  readonly atMs: number
  /** Connections are counted from 1. */
  readonly connection: number
  readonly direction: Direction
  readonly kind: FaultAction['kind']
  /** The request concerned; for EXEC replies that is `exec`. Missing for connections, pushed messages and foreign bytes. */
  readonly command?: string
  readonly script?: string
  /** It is the nth request of this script, or else of this command, that the proxy saw. */
  readonly ordinal?: number
}

/** One request, in the order of arrival. No key, argument or value is ever logged. */
export interface ProxyLogLine {
  /** Milliseconds since the proxy started. */
  readonly atMs: number
  readonly connection: number
  readonly command: string
  readonly script?: string
  readonly ordinal: number
  /** When the server's (last) reply reached the proxy; missing while there is none, and for good when there never is. */
  readonly answeredMs?: number
  /** First word of an error reply. */
  readonly error?: string
  readonly faults: readonly ProxyFault[]
}

/** A line while it grows. */
export interface LogLine {
  readonly atMs: number
  readonly connection: number
  readonly command: string
  readonly script: string | undefined
  readonly ordinal: number
  answeredMs: number | undefined
  error: string | undefined
  readonly faults: ProxyFault[]
}

export interface ProxyLog {
  request(connection: number, request: Request): LogLine
  answered(line: LogLine, message: Buffer): void
  fault(fault: {
    connection: number
    direction: Direction
    kind: FaultAction['kind']
    line?: LogLine | undefined
  }): void
  read(): ProxyLogLine[]
}

const MAX_LINES = 10_000
const ERROR = 45 // -
const BULK_ERROR = 33 // !

function readErrorCode(message: Buffer): string | undefined {
  if (message[0] !== ERROR && message[0] !== BULK_ERROR) return undefined
  const text = message.toString('latin1', 0, 200)
  const line = message[0] === ERROR ? text.slice(1) : text.slice(text.indexOf('\n') + 1)
  return /^[^\s]+/.exec(line)?.[0] ?? ''
}

function present(line: LogLine): ProxyLogLine {
  const { script, answeredMs, error, ...rest } = line
  return {
    ...rest,
    faults: [...line.faults],
    ...(script === undefined ? {} : { script }),
    ...(answeredMs === undefined ? {} : { answeredMs }),
    ...(error === undefined ? {} : { error }),
  }
}

/** Keeps the last 10 000 requests; ordinals go on counting. */
export function createProxyLog(onFault: ((fault: ProxyFault) => void) | undefined): ProxyLog {
  const startedMs = performance.now()
  const ordinals = new Map<string, number>()
  const lines: LogLine[] = []
  let oldest = 0
  const elapsed = (): number => performance.now() - startedMs

  const count = (name: string): number => {
    const ordinal = (ordinals.get(name) ?? 0) + 1
    ordinals.set(name, ordinal)
    return ordinal
  }

  return {
    request(connection, { command, script }) {
      const ordinal = count(script ?? command)
      const line: LogLine = {
        atMs: elapsed(),
        connection,
        command,
        script,
        ordinal,
        answeredMs: undefined,
        error: undefined,
        faults: [],
      }
      if (lines.length < MAX_LINES) {
        lines.push(line)
      } else {
        lines[oldest] = line
        oldest = (oldest + 1) % MAX_LINES
      }
      return line
    },
    answered(line, message) {
      line.answeredMs = elapsed()
      line.error = readErrorCode(message)
    },
    fault({ connection, direction, kind, line }) {
      const about = line === undefined ? {} : { command: line.command, ordinal: line.ordinal }
      const script = line?.script === undefined ? {} : { script: line.script }
      const fault: ProxyFault = { atMs: elapsed(), connection, direction, kind, ...about, ...script }
      line?.faults.push(fault)
      onFault?.(fault)
    },
    read: () => [...lines.slice(oldest), ...lines.slice(0, oldest)].map(present),
  }
}
