import { fail, settle, startCall, tellLate } from './call.ts'
import type { Call, RunOptions } from './call.ts'
import { redisCodeOf } from './classify.ts'
import { isCluster } from './client.ts'
import type { RedisClient } from './client.ts'
import { RedisCoreError } from './errors.ts'
import { refreshSlots } from './readiness.ts'
import type { Script, ScriptArgs, ScriptInput, ScriptKeys } from './script.ts'

/** How many replicas to wait for, and for how long. */
export interface Durability {
  /** 0 or more. */
  replicas: number
  /** Milliseconds WAIT may block. 1 or more; keep it below the client's `commandTimeout` and `socketTimeout`. */
  waitMs: number
}

/** `replicas`: how many confirmed what this connection had written so far; 0 also when nobody answered in time. */
export interface DurableResult<R> {
  value: R
  replicas: number
}

const DEFAULT_DEADLINE_MS = 1000

/**
 * Like `runScript`, in one pipeline with WAIT, so that both run on the same connection and, in Cluster, on the node that
 * owns the slot. The script must write on every repeat, or WAIT says nothing. WAIT blocks its connection: give this its
 * own client (`redis.duplicate()`). WAIT narrows the loss of acknowledged writes; it does not end it.
 *
 * Settles by `deadlineMs` (@default 1000 + `waitMs`); if the script has answered by then, with `replicas: 0`.
 *
 * @throws as `runScript`; `ERR_REDIS_OPTIONS` also for `replicas` and `waitMs`.
 */
export function runScriptDurably<K extends ScriptKeys, A extends ScriptArgs, R>(
  redis: RedisClient,
  script: Script<K, A, R>,
  input: ScriptInput<K, A>,
  options: RunOptions & Durability,
): Promise<DurableResult<R>> {
  const { replicas, waitMs, deadlineMs = DEFAULT_DEADLINE_MS + waitMs } = options
  try {
    checkCount('replicas', replicas, 0)
    checkCount('waitMs', waitMs, 1)
    const argv = script.encode(input)
    return startCall<R, DurableResult<R>>(redis, script, argv, { ...options, deadlineMs }, call => {
      sendWithWait(call, { replicas, waitMs })
    })
  } catch (error) {
    return Promise.reject(error)
  }
}

function sendWithWait<R>(call: Call<R, DurableResult<R>>, { replicas, waitMs }: Durability): void {
  const pipeline = call.redis.pipeline()
  // The script's own reply comes first: from then on it ran, whatever becomes of WAIT.
  pipeline.eval(call.script.text, ...call.argv, (error: Error | null | undefined, reply: unknown) => {
    if (!error) return replied(call, reply)
    if (redisCodeOf(error) === 'MOVED' && isCluster(call.redis)) refreshSlots(call.redis)
    fail(call, error)
  })
  pipeline.wait(replicas, waitMs)
  pipeline.exec().then(
    results => {
      const { known } = call
      if (known === undefined || call.phase === 'settled') return
      settle(call)
      call.resolve({ value: known.value.value, replicas: count(results?.[1]?.[1]) })
    },
    // The pipeline as a whole was refused before it was sent; a failed script has been told by its own reply.
    (error: unknown) => {
      if (call.phase !== 'settled') fail(call, error)
    },
  )
}

function replied<R>(call: Call<R, DurableResult<R>>, reply: unknown): void {
  if (call.phase === 'settled') return tellLate(call, 'ran')
  try {
    call.known = { value: { value: call.script.decode(reply), replicas: 0 } }
  } catch (error) {
    settle(call)
    call.reject(error)
  }
}

/** WAIT's reply: a number, or decimal text with `stringNumbers`; an error counts as nobody. */
function count(reply: unknown): number {
  const number = typeof reply === 'string' ? Number(reply) : reply
  return Number.isSafeInteger(number) ? (number as number) : 0
}

function checkCount(name: string, value: number, min: number): void {
  if (!Number.isSafeInteger(value) || value < min) {
    throw new RedisCoreError('ERR_REDIS_OPTIONS', `${name} must be an integer of at least ${min}`)
  }
}
