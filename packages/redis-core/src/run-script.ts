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
  if (!isCluster(call.redis)) writeTogether(call.redis.stream)
  call.redis.evalsha(call.script.sha1, ...call.argv).then(
    reply => replied(call, reply),
    (error: unknown) => {
      if (call.phase === 'sent' && redisCodeOf(error) === 'NOSCRIPT') sendText(call)
      else fail(call, error)
    },
  )
}

/**
 * Commands of one turn leave in one write to the socket instead of one each, which costs more than all else a call does.
 * Their order, also among other commands of the client, stays as it is.
 */
function writeTogether(stream: Redis['stream']): void {
  if (stream.writableCorked > 0) return
  stream.cork()
  process.nextTick(uncork, stream)
}

function uncork(stream: Redis['stream']): void {
  stream.uncork()
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
