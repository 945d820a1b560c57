import type { Redis } from 'ioredis'

import { fail, settle, startCall, tellLate } from './call.ts'
import type { Call, RunOptions } from './call.ts'
import { redisCodeOf } from './classify.ts'
import { isCluster } from './client.ts'
import type { RedisClient } from './client.ts'
import { emit } from './core-events.ts'
import type { Script, ScriptArgs, ScriptInput, ScriptKeys } from './script.ts'

/**
 * Runs a script once: waits until the client is ready (connecting a lazy one), sends its hash, and on NOSCRIPT its text,
 * once. Always settles by `deadlineMs`, by its own timer. Any other repeat, with the same token, is the caller's job.
 *
 * Abort rejects with `signal.reason`; before sending, the script then never runs; once sent, it may still run, and a
 * reply after the caller left is the event `script-late`.
 *
 * @throws `ERR_REDIS_NOT_RUN` (repeat is safe), `ERR_REDIS_REFUSED`, `ERR_REDIS_UNKNOWN` (it may have run),
 * `ERR_REDIS_REPLY` (it ran), `ERR_REDIS_SCRIPT`, `ERR_REDIS_OPTIONS` (the caller's mistakes).
 * @example
 * const { left } = await runScript(redis, take, { keys: { stock: ks.key('tea') }, args: { count: 2 } }, { deadlineMs: 200 })
 */
export function runScript<K extends ScriptKeys, A extends ScriptArgs, R>(
  redis: RedisClient,
  script: Script<K, A, R>,
  input: ScriptInput<K, A>,
  options?: RunOptions,
): Promise<R> {
  try {
    return startCall<R, R>(redis, script, script.encode(input), options, sendHash)
  } catch (error) {
    return Promise.reject(error)
  }
}

function sendHash<R>(call: Call<R>): void {
  const line = isCluster(call.redis) ? undefined : lineOf(call.redis.stream)
  if (line !== undefined) gather(line)
  const replying = call.redis.evalsha(call.script.sha1, ...call.argv)
  if (line !== undefined) line.inFlight += 1
  replying.then(
    reply => {
      if (line !== undefined) line.inFlight -= 1
      replied(call, reply)
    },
    (error: unknown) => {
      if (line !== undefined) line.inFlight -= 1
      if (call.phase === 'sent' && redisCodeOf(error) === 'NOSCRIPT') sendText(call)
      else fail(call, error)
    },
  )
}

/** A socket, and the scripts on it that have not been answered. */
interface Line {
  readonly stream: Redis['stream']
  inFlight: number
  /** Of them, those that wait here for others of their turn. */
  held: number
  corked: boolean
}

const lines = new WeakMap<Redis['stream'], Line>()

/** The share of what is in flight that leaves in one write. */
const BATCH_SHARE = 1 / 8

function lineOf(stream: Redis['stream']): Line {
  let line = lines.get(stream)
  if (line === undefined) lines.set(stream, (line = { stream, inFlight: 0, held: 0, corked: false }))
  return line
}

/**
 * Before a script is written. Few leave one by one, at once. Of many, those of one turn of the event loop leave in batches:
 * a write costs more than all else a call does, but with one write for all the server and this process would wait for each
 * other in turns. Their order, also among other commands of the client, stays as it is.
 */
function gather(line: Line): void {
  const batch = line.inFlight * BATCH_SHARE
  if (!line.corked) {
    if (batch < 2) return
    line.corked = true
    line.stream.cork()
    process.nextTick(release, line)
  } else if (line.held >= batch) {
    line.stream.uncork()
    line.stream.cork()
    line.held = 0
  }
  line.held += 1
}

function release(line: Line): void {
  line.corked = false
  line.held = 0
  line.stream.uncork()
}

function sendText<R>(call: Call<R>): void {
  call.sentInFull = true
  const { name, text, sha1 } = call.script
  call.redis.eval(text, ...call.argv).then(
    reply => {
      emit(() => ({ type: 'script-loaded', script: name, sha1 }))
      replied(call, reply)
    },
    (error: unknown) => fail(call, error),
  )
}

function replied<R>(call: Call<R>, reply: unknown): void {
  if (call.phase === 'settled') return tellLate(call, 'ran')
  settle(call)
  try {
    call.resolve(call.script.decode(reply))
  } catch (error) {
    call.reject(error)
  }
}
