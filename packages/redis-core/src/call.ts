import { classifyRedisError, isReplyError, redisCodeOf } from './classify.ts'
import type { RedisVerdict } from './classify.ts'
import type { RedisClient } from './client.ts'
import { systemClock } from './clock.ts'
import type { Clock } from './clock.ts'
import { lastConnectionError } from './connection-errors.ts'
import { emit } from './core-events.ts'
import { dropDeadline, setDeadline } from './deadlines.ts'
import type { Deadline } from './deadlines.ts'
import { RedisCoreError } from './errors.ts'
import type { Outcome, RedisCoreErrorCode } from './errors.ts'
import { mayResend } from './may-resend.ts'
import { awaitReadiness, readiness } from './readiness.ts'
import type { Argv, Script, ScriptArgs, ScriptKeys } from './script.ts'

export interface RunOptions {
  /** Milliseconds from the call to its end, whatever happens. Above 0. @default 1000 */
  deadlineMs?: number
  /** Rejects with `signal.reason`. A script already sent may still run. */
  signal?: AbortSignal
  /** @default systemClock */
  clock?: Clock
}

/** What of a script goes over the wire. */
export type WireScript<R> = Pick<Script<ScriptKeys, ScriptArgs, R>, 'name' | 'text' | 'sha1' | 'decode'>

/** One script call on its way to its result `T`: waiting for a connection, sent, settled. */
export interface Call<R, T = R> extends Deadline {
  readonly redis: RedisClient
  readonly script: WireScript<R>
  readonly argv: Argv
  readonly clock: Clock
  readonly deadlineMs: number
  readonly signal: AbortSignal | undefined
  /** Writes the command, or puts the call back to `waiting` and brings it back by `proceed`. */
  readonly send: (call: Call<R, T>) => void
  readonly resolve: (value: T) => void
  readonly reject: (reason: unknown) => void
  phase: 'waiting' | 'sent' | 'settled'
  /** The server did not know the hash, and the full text went out. */
  sentInFull: boolean
  /** What is known if the deadline comes now. */
  known: { readonly value: T } | undefined
  /** When the caller left before the reply came. */
  leftMs: number
  onAbort: (() => void) | undefined
  leaveGate: (() => void) | undefined
}

const DEFAULT_DEADLINE_MS = 1000

const VERDICTS: Record<RedisVerdict, { code: RedisCoreErrorCode; text: (script: string, reason: string) => string }> = {
  'not-run': {
    code: 'ERR_REDIS_NOT_RUN',
    text: (script, reason) => `redis script "${script}" did not run: ${reason}. It is safe to repeat`,
  },
  refused: {
    code: 'ERR_REDIS_REFUSED',
    text: (script, reason) =>
      `redis script "${script}" was refused: ${reason}. A repeat will be too, until the cause is removed`,
  },
  unknown: {
    code: 'ERR_REDIS_UNKNOWN',
    text: (script, reason) =>
      `nobody knows whether redis script "${script}" ran: ${reason}. Repeat it with the same token, or read what it writes`,
  },
}

/** Starts a call: its deadline and its abort hold from here on, in every state of the client. */
export function startCall<R, T>(
  redis: RedisClient,
  script: WireScript<R>,
  argv: Argv,
  options: RunOptions | undefined,
  send: (call: Call<R, T>) => void,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const deadlineMs = options?.deadlineMs ?? DEFAULT_DEADLINE_MS
    const signal = options?.signal
    const clock = options?.clock ?? systemClock
    checkCall(redis, script.name, deadlineMs)
    if (signal?.aborted) return reject(signal.reason)
    const call: Call<R, T> = {
      redis,
      script,
      argv,
      clock,
      dueMs: clock.monotonic() + deadlineMs,
      deadlineMs,
      signal,
      send,
      resolve,
      reject,
      phase: 'waiting',
      sentInFull: false,
      known: undefined,
      leftMs: 0,
      onAbort: undefined,
      leaveGate: undefined,
      expire,
      queue: undefined,
      previous: undefined,
      next: undefined,
    }
    setDeadline(call, clock, deadlineMs)
    if (signal !== undefined) leaveOnAbort(call, signal)
    proceed(call)
  })
}

/** Ends a call that has not ended. */
export function settle<R, T>(call: Call<R, T>): void {
  call.phase = 'settled'
  dropDeadline(call)
  if (call.onAbort !== undefined) call.signal?.removeEventListener('abort', call.onAbort)
  if (call.leaveGate !== undefined) call.leaveGate()
}

/** Ends the call with what `error`, as ioredis gave it, says about the command. */
export function fail<R, T>(call: Call<R, T>, error: unknown): void {
  const verdict = verdictOf(call, error)
  if (call.phase === 'settled') {
    // Only an answer of the server is late; "timed out" and the like tell nothing new.
    if (isReplyError(error)) tellLate(call, verdict === 'unknown' ? 'unknown' : 'not-run')
    return
  }
  settle(call)
  const redisCode = redisCodeOf(error)
  const reason = redisCode === undefined ? localText(error) : `Redis answered ${redisCode}`
  call.reject(callError(call, verdict, reason, error, redisCode))
}

/** Tells that the server answered after the caller had left. */
export function tellLate<R, T>(call: Call<R, T>, outcome: Outcome): void {
  emit(() => ({
    type: 'script-late',
    script: call.script.name,
    outcome,
    lateMs: Math.max(0, Math.round(call.clock.monotonic() - call.leftMs)),
  }))
}

function checkCall(redis: RedisClient, script: string, deadlineMs: number): void {
  if (!(deadlineMs > 0 && deadlineMs < Infinity)) {
    throw new RedisCoreError('ERR_REDIS_OPTIONS', 'deadlineMs must be a finite number above 0', { script })
  }
  if (redis.options.keyPrefix) {
    const message = 'clients with a keyPrefix are refused: it would change the keys of scripts. Use keyspace(prefix)'
    throw new RedisCoreError('ERR_REDIS_OPTIONS', message, { script })
  }
}

function leaveOnAbort<R, T>(call: Call<R, T>, signal: AbortSignal): void {
  call.onAbort = () => {
    leave(call)
    call.reject(signal.reason)
  }
  signal.addEventListener('abort', call.onAbort, { once: true })
}

/** Sends a waiting call once its connection is ready. */
export function proceed<R, T>(call: Call<R, T>): void {
  if (call.phase !== 'waiting') return
  const state = readiness(call.redis, call.argv)
  if (state === 'ready') {
    call.phase = 'sent'
    if (call.leaveGate !== undefined) call.leaveGate()
    // It may come back to wait here: the next time it stands at the gate anew.
    call.leaveGate = undefined
    trySend(call)
  } else if (state === 'ended') {
    neverSent(call, 'the client is closed')
  } else {
    call.leaveGate ??= awaitReadiness(call.redis, call.argv, () => proceed(call))
  }
}

/** ioredis throws where it cannot encode a command, for example beyond the longest string there is. */
function trySend<R, T>(call: Call<R, T>): void {
  try {
    call.send(call)
  } catch (error) {
    fail(call, error)
  }
}

function expire<R, T>(call: Call<R, T>): void {
  if (call.phase === 'waiting') return neverSent(call, `it could not be sent within ${call.deadlineMs} ms`)
  leave(call)
  if (call.known !== undefined) call.resolve(call.known.value)
  else call.reject(callError(call, 'unknown', `no reply within ${call.deadlineMs} ms`))
}

/** The connection never came to be; if that is because the server refuses this user, a repeat is of no help. */
function neverSent<R, T>(call: Call<R, T>, reason: string): void {
  const cause = lastConnectionError(call.redis) // before leaving: the last waiter takes it along
  leave(call)
  const verdict = classifyRedisError(cause) === 'refused' ? 'refused' : 'not-run'
  call.reject(callError(call, verdict, reason, cause, redisCodeOf(cause)))
}

function leave<R, T>(call: Call<R, T>): void {
  settle(call)
  call.leftMs = call.clock.monotonic()
}

/** An answer may belong to a second copy; then the first may have run, whatever the answer says. */
function verdictOf<R, T>(call: Call<R, T>, error: unknown): RedisVerdict {
  const verdict = classifyRedisError(error)
  if (verdict === 'unknown' || !(isReplyError(error) || call.sentInFull)) return verdict
  return mayResend(call.redis) ? 'unknown' : verdict
}

function callError<R, T>(
  call: Call<R, T>,
  verdict: RedisVerdict,
  reason: string,
  cause?: unknown,
  redisCode?: string,
): RedisCoreError {
  const { code, text } = VERDICTS[verdict]
  const elapsedMs = Math.round(call.clock.monotonic() - (call.dueMs - call.deadlineMs))
  return new RedisCoreError(code, text(call.script.name, reason), {
    script: call.script.name,
    redisCode,
    elapsedMs,
    cause,
  })
}

const MAX_TEXT = 160

/** Texts of ioredis and of sockets; an error reply's text may repeat what the script was given and is left out. */
function localText(error: unknown): string {
  if (isReplyError(error)) return 'Redis answered with an error'
  return error instanceof Error ? error.message.slice(0, MAX_TEXT) : 'the client failed'
}
