import { fail, proceed, settle, startCall, tellLate } from './call.ts'
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
 * Calls that come while a WAIT blocks the connection leave together when it ends, with one WAIT behind them all, so that
 * a call waits for two WAITs at most (in Cluster, where a pipeline reaches one node only, for all before it).
 *
 * Settles by `deadlineMs` (@default 1000 + 2 x `waitMs`); if the script has answered by then, with `replicas: 0`.
 *
 * @throws as `runScript`; `ERR_REDIS_OPTIONS` also for `replicas` and `waitMs`.
 */
export function runScriptDurably<K extends ScriptKeys, A extends ScriptArgs, R>(
  redis: RedisClient,
  script: Script<K, A, R>,
  input: ScriptInput<K, A>,
  options: RunOptions & Durability,
): Promise<DurableResult<R>> {
  const { replicas, waitMs, deadlineMs = DEFAULT_DEADLINE_MS + 2 * waitMs } = options
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

type Pending = Call<unknown, DurableResult<unknown>>

/** One connection: whether a WAIT blocks it, and who leaves with the next one. */
interface Line {
  blocked: boolean
  readonly waiting: { readonly call: Pending; readonly durability: Durability }[]
  /** The calls of the group that is being made up. */
  group: Pending[] | undefined
}

const lines = new WeakMap<RedisClient, Line>()

function sendWithWait<R>(given: Call<R, DurableResult<R>>, durability: Durability): void {
  // A line keeps calls of any script; each decodes its own reply.
  const call = given as unknown as Pending
  if (isCluster(call.redis)) return void sendGroup(call.redis, [call], durability)
  let line = lines.get(call.redis)
  if (line === undefined) lines.set(call.redis, (line = { blocked: false, waiting: [], group: undefined }))
  if (line.group !== undefined) {
    line.group.push(call)
    return
  }
  call.phase = 'waiting'
  line.waiting.push({ call, durability })
  if (line.blocked) return
  line.blocked = true
  // Those of one turn leave together.
  process.nextTick(leave, call.redis, line)
}

/** Sends those that wait, as far as they ask for the same as the first; then, when their WAIT has ended, the next. */
function leave(redis: RedisClient, line: Line): void {
  for (;;) {
    const first = line.waiting.find(({ call }) => call.phase === 'waiting')
    const group: Pending[] = []
    line.group = group
    for (const one of line.waiting.splice(0)) {
      if (first === undefined || isAlike(one.durability, first.durability)) proceed(one.call)
      else line.waiting.push(one)
    }
    line.group = undefined
    if (first === undefined) {
      line.blocked = false
      return
    }
    if (group.length > 0) return occupy(redis, line, group, first.durability)
  }
}

/** Sends a group; the next one leaves when its WAIT has ended, or all of its calls. */
function occupy(redis: RedisClient, line: Line, group: readonly Pending[], durability: Durability): void {
  const [{ clock }] = group as [Pending]
  let freed = false
  const free = (): void => {
    if (freed) return
    freed = true
    timer.cancel()
    leave(redis, line)
  }
  // ioredis may forget a pipeline whose connection broke (redis/ioredis#2193). Each call ends by its own deadline.
  const lastMs = group.reduce((latest, { dueMs }) => Math.max(latest, dueMs), 0)
  const timer = clock.setTimeout(free, Math.max(0, lastMs - clock.monotonic()))
  void sendGroup(redis, group, durability).then(free)
}

function isAlike(one: Durability, other: Durability): boolean {
  return one.replicas === other.replicas && one.waitMs === other.waitMs
}

/** Resolves when the connection is free again. */
async function sendGroup(redis: RedisClient, group: readonly Pending[], durability: Durability): Promise<void> {
  try {
    const pipeline = redis.pipeline()
    for (const call of group) {
      // The script's own reply comes before that of WAIT: from then on it ran, whatever becomes of WAIT.
      pipeline.eval(call.script.text, ...call.argv, (error: Error | null | undefined, reply: unknown) => {
        if (!error) return replied(call, reply)
        if (redisCodeOf(error) === 'MOVED' && isCluster(redis)) refreshSlots(redis)
        fail(call, error)
      })
    }
    pipeline.wait(durability.replicas, durability.waitMs)
    const results = await pipeline.exec()
    const replicas = count(results?.[group.length]?.[1])
    for (const call of group) {
      const { known } = call
      if (known === undefined || call.phase === 'settled') continue
      settle(call)
      call.resolve({ ...known.value, replicas })
    }
  } catch (error) {
    // The pipeline as a whole was refused before it was sent; a failed script has been told by its own reply.
    for (const call of group) if (call.phase !== 'settled') fail(call, error)
  }
}

function replied(call: Pending, reply: unknown): void {
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
