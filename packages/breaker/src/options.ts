import { createToken, keyspace, systemClock, systemRandom } from '@safety/redis-core'
import type { Clock, Keyspace, Random, RedisClient } from '@safety/redis-core'
import { z } from 'zod'

import type { BreakerMode } from './breaker-state.ts'
import { BreakerOptionsError } from './errors.ts'
import type { BreakerEvent } from './events.ts'
import { restorableSchema } from './snapshot.ts'
import type { BreakerSnapshot, Restorable } from './snapshot.ts'

/** The long window finds partial and slow failure. */
export interface LongWindow {
  /** 1 000..3 600 000 ms. @default 10_000 */
  readonly lengthMs?: number | undefined
  /** 2..60; a call leaves the window one bucket's width too early at most. @default 10 */
  readonly buckets?: number | undefined
}

/** The fast window finds an outage: within 0.9 s where the long one needs `failureRatio` of its length. */
export interface FastWindow {
  /** 1..3 600 000 ms, not above the long window's. @default 1_000 */
  readonly lengthMs?: number | undefined
  /** 2..60. @default 5 */
  readonly buckets?: number | undefined
  /** 1..1 000 calls, ok + failed, below which it says nothing. @default 10 */
  readonly minimumCalls?: number | undefined
  /** Over 0 to 1; opens at this ratio or above. @default 0.9 */
  readonly failureRatio?: number | undefined
}

/** When many calls end well but too late. */
export interface SlowCall {
  /** 1..3 600 000 ms; a call that takes this long or longer is slow, and one more reading of the clock per call is needed. */
  readonly thresholdMs: number
  /** Over 0 to 1; opens at this ratio of the long window or above. @default 0.5 */
  readonly ratio?: number | undefined
}

/** How many processes must see failures before the fleet opens. */
export interface Quorum {
  /** Over 0 to 1, of the processes with calls. @default 0.25 */
  readonly ratio?: number | undefined
  /** 1..1 000 processes, or all there are if they are fewer. @default 2 */
  readonly min?: number | undefined
  /** 1..3 600 000 ms after the first report ever, or after Redis lost the data, in which the fleet cannot open. @default 10_000 */
  readonly settleMs?: number | undefined
}

/** How long an opened breaker stays open: min(base x factor^(opens - 1), max) x uniform(1 - jitter, 1 + jitter). */
export interface CoolOff {
  /** 1..3 600 000 ms. @default 5_000 */
  readonly baseMs?: number | undefined
  /** 1..10. @default 2 */
  readonly factor?: number | undefined
  /** 1..3 600 000 ms. May be low: what a fleet sends at its end is one call. @default 60_000 */
  readonly maxMs?: number | undefined
  /** 0..0.5. @default 0.15 */
  readonly jitter?: number | undefined
  /** 1..3 600 000 ms; `opens` loses one for each time it stayed closed this long. @default 60_000 */
  readonly forgiveMs?: number | undefined
}

/** How recovery is tried. */
export interface HalfOpen {
  /** 1..1 000 at once, in the whole fleet. @default 1 */
  readonly probes?: number | undefined
  /** 1..1 000 passed probes end it. @default 3 */
  readonly successes?: number | undefined
  /** 0..1 000 failed probes do not reopen. @default 0 */
  readonly tolerated?: number | undefined
  /** 1..3 600 000 ms, above `attemptTimeoutMs`, after which a probe's slot is given again. @default attemptTimeoutMs + 1_000, else 30_000 */
  readonly leaseMs?: number | undefined
}

/** How calls come back after recovery: share = from + (1 - from) x t / length. */
export interface Ramp {
  /** Over 0 to 1. @default 0.1 */
  readonly fromShare?: number | undefined
  /** 1..3 600 000 ms. @default 10_000 */
  readonly lengthMs?: number | undefined
  /** 0..1 000 000 calls/s; below this rate at the trip there is no ramp. @default 20 */
  readonly minRate?: number | undefined
}

export interface BreakerOptions {
  /** The dependency or job type, 1..200 UTF-8 bytes, well-formed. From a closed set, never from input. */
  readonly name: string
  /** Any ioredis client without `keyPrefix`; the breaker adds one `duplicate()` as subscriber, once per client. */
  readonly redis?: RedisClient | undefined
  /** @default keyspace('safety') */
  readonly keyspace?: Keyspace | undefined
  /** This process among the fleet, 1..200 UTF-8 bytes. @default createToken() */
  readonly instance?: string | undefined
  /** @default 'fleet' with `redis`, else 'local'; 'fleet' and 'advisory' need `redis` */
  readonly mode?: BreakerMode | undefined
  readonly windows?:
    | { readonly long?: LongWindow | undefined; readonly fast?: false | FastWindow | undefined }
    | undefined
  /** 1..1 000 000 calls, ok + failed, in the long window, below which it says nothing. @default 20 */
  readonly minimumCalls?: number | undefined
  /** Over 0 to 1, of the long window; opens at this ratio or above. @default 0.5 */
  readonly failureRatio?: number | undefined
  /** @default off */
  readonly slowCall?: SlowCall | undefined
  readonly quorum?: Quorum | undefined
  /** 0..1 000: the fewest processes normally running; 0 is unknown. @default 0 */
  readonly expect?: number | undefined
  readonly coolOff?: CoolOff | undefined
  readonly halfOpen?: HalfOpen | undefined
  /** @default on */
  readonly ramp?: false | Ramp | undefined
  /** Asked first: true counts nowhere. If it throws: false. @default () => false */
  readonly isIgnored?: ((error: unknown) => boolean) | undefined
  /** False counts as success. If it throws: true. @default () => true */
  readonly isFailure?: ((error: unknown) => boolean) | undefined
  /** If it throws: 'success'. @default () => 'success' */
  readonly classifyResult?: ((value: unknown) => 'success' | 'failure' | 'ignored') | undefined
  /** 1..3 600 000 ms; then the call rejects with `ERR_BREAKER_TIMEOUT`, its signal aborts, a failure counts. @default off */
  readonly attemptTimeoutMs?: number | undefined
  /** The state to start with: open keeps the rest of its cool-off, half-open becomes open and due, windows are empty. */
  readonly restore?: BreakerSnapshot | undefined
  /** Gets each event, in order, in a later turn of the event loop; what it throws changes nothing. */
  readonly onEvent?: ((event: BreakerEvent) => void) | undefined
  /** @default systemClock */
  readonly clock?: Clock | undefined
  /** @default systemRandom */
  readonly random?: Random | undefined
}

type Filled<T> = { readonly [K in keyof T]-?: Exclude<T[K], undefined> }

/** `BreakerOptions` with every default in its place, and `null` for what is off. */
export interface ResolvedOptions {
  readonly name: string
  readonly redis: RedisClient | null
  readonly keyspace: Keyspace
  readonly instance: string
  readonly mode: BreakerMode
  readonly windows: { readonly long: Filled<LongWindow>; readonly fast: Filled<FastWindow> | null }
  readonly minimumCalls: number
  readonly failureRatio: number
  readonly slowCall: Filled<SlowCall> | null
  readonly quorum: Filled<Quorum>
  readonly expect: number
  readonly coolOff: Filled<CoolOff>
  readonly halfOpen: Filled<HalfOpen>
  readonly ramp: Filled<Ramp> | null
  readonly isIgnored: ((error: unknown) => boolean) | null
  readonly isFailure: ((error: unknown) => boolean) | null
  readonly classifyResult: ((value: unknown) => 'success' | 'failure' | 'ignored') | null
  readonly attemptTimeoutMs: number | null
  readonly restore: Restorable | null
  readonly onEvent: ((event: BreakerEvent) => void) | undefined
  readonly clock: Clock
  readonly random: Random
}

const DEFAULT_KEYSPACE = keyspace('safety')
const MAX_NAME_BYTES = 200
const MAX_TIME_MS = 3_600_000
const DEFAULT_LEASE_MS = 30_000
const LEASE_MARGIN_MS = 1_000

const integer = (min: number, max: number): z.ZodNumber => z.number().int().min(min).max(max)
const time = integer(1, MAX_TIME_MS)
const count = integer(1, 1_000)
const buckets = integer(2, 60)
const share = z.number().gt(0).max(1)
const label = z
  .string()
  .refine(text => text !== '' && text.isWellFormed() && Buffer.byteLength(text) <= MAX_NAME_BYTES, {
    error: `must be 1..${MAX_NAME_BYTES} UTF-8 bytes of well-formed text`,
  })

function func<F>(): z.ZodCustom<F, F> {
  return z.custom<F>(value => typeof value === 'function', { error: 'must be a function' })
}

function shaped<T>(what: string, methods: readonly string[]): z.ZodCustom<T, T> {
  const fits = (value: unknown): boolean =>
    typeof value === 'object' &&
    value !== null &&
    methods.every(name => typeof (value as Record<string, unknown>)[name] === 'function')
  return z.custom<T>(fits, { error: `must be ${what}` })
}

function orOff<T extends z.ZodType>(values: T): z.ZodUnion<[z.ZodLiteral<false>, T]> {
  return z.union([z.literal(false), values])
}

const fast = z.strictObject({
  lengthMs: time.default(1_000),
  buckets: buckets.default(5),
  minimumCalls: count.default(10),
  failureRatio: share.default(0.9),
})

const ramp = z.strictObject({
  fromShare: share.default(0.1),
  lengthMs: time.default(10_000),
  minRate: z.number().min(0).max(1_000_000).default(20),
})

const schema = z.strictObject({
  name: label,
  redis: shaped<RedisClient>('an ioredis client', ['evalsha', 'duplicate']).optional(),
  keyspace: shaped<Keyspace>("a Keyspace, for example keyspace('safety')", ['key', 'tagged', 'part']).optional(),
  instance: label.optional(),
  mode: z.enum(['local', 'fleet', 'advisory', 'shadow']).optional(),
  windows: z
    .strictObject({
      long: z
        .strictObject({ lengthMs: integer(1_000, MAX_TIME_MS).default(10_000), buckets: buckets.default(10) })
        .prefault({}),
      fast: orOff(fast).prefault({}),
    })
    .prefault({}),
  minimumCalls: integer(1, 1_000_000).default(20),
  failureRatio: share.default(0.5),
  slowCall: z.strictObject({ thresholdMs: time, ratio: share.default(0.5) }).optional(),
  quorum: z
    .strictObject({ ratio: share.default(0.25), min: count.default(2), settleMs: time.default(10_000) })
    .prefault({}),
  expect: integer(0, 1_000).default(0),
  coolOff: z
    .strictObject({
      baseMs: time.default(5_000),
      factor: z.number().min(1).max(10).default(2),
      maxMs: time.default(60_000),
      jitter: z.number().min(0).max(0.5).default(0.15),
      forgiveMs: time.default(60_000),
    })
    .prefault({}),
  halfOpen: z
    .strictObject({
      probes: count.default(1),
      successes: count.default(3),
      tolerated: integer(0, 1_000).default(0),
      leaseMs: time.optional(),
    })
    .prefault({}),
  ramp: orOff(ramp).prefault({}),
  isIgnored: func<(error: unknown) => boolean>().optional(),
  isFailure: func<(error: unknown) => boolean>().optional(),
  classifyResult: func<(value: unknown) => 'success' | 'failure' | 'ignored'>().optional(),
  attemptTimeoutMs: time.optional(),
  restore: restorableSchema.optional(),
  onEvent: func<(event: BreakerEvent) => void>().optional(),
  clock: shaped<Clock>('a Clock', ['now', 'monotonic', 'sleep', 'setTimeout']).optional(),
  random: shaped<Random>('a Random', ['float', 'bytes']).optional(),
})

type Values = z.output<typeof schema>

const DEFAULTS = schema.parse({ name: 'defaults' })
const DEFAULT_WINDOWS = windowsOf(DEFAULTS)
const DEFAULT_HALF_OPEN = { ...DEFAULTS.halfOpen, leaseMs: DEFAULT_LEASE_MS }

function windowsOf({ windows: { long, fast: quick } }: Values): ResolvedOptions['windows'] {
  return { long, fast: quick === false ? null : quick }
}

/**
 * Checks the options and fills in the defaults.
 *
 * @throws `ERR_BREAKER_OPTIONS` (no retry helps); `field` is the path of the option, e.g. `windows.long.lengthMs`
 */
export function resolveOptions(options: BreakerOptions): ResolvedOptions {
  const parsed = schema.safeParse(options)
  if (!parsed.success) throw optionsError(parsed.error)
  const values = parsed.data
  contradictions(values, options)
  // What was not given is shared: ten thousand breakers have one set of defaults.
  const shared = <K extends keyof Values>(field: K): Values[K] =>
    options[field] === undefined ? DEFAULTS[field] : values[field]
  const { leaseMs, ...halfOpen } = values.halfOpen
  const { attemptTimeoutMs } = values
  const usualLeaseMs = attemptTimeoutMs === undefined ? DEFAULT_LEASE_MS : attemptTimeoutMs + LEASE_MARGIN_MS
  return {
    name: values.name,
    redis: values.redis ?? null,
    keyspace: values.keyspace ?? DEFAULT_KEYSPACE,
    random: values.random ?? systemRandom,
    instance: values.instance ?? createToken(values.random ?? systemRandom),
    mode: values.mode ?? (values.redis === undefined ? 'local' : 'fleet'),
    windows: options.windows === undefined ? DEFAULT_WINDOWS : windowsOf(values),
    minimumCalls: values.minimumCalls,
    failureRatio: values.failureRatio,
    slowCall: values.slowCall ?? null,
    quorum: shared('quorum'),
    expect: values.expect,
    coolOff: shared('coolOff'),
    halfOpen:
      options.halfOpen === undefined && attemptTimeoutMs === undefined
        ? DEFAULT_HALF_OPEN
        : { ...halfOpen, leaseMs: leaseMs ?? usualLeaseMs },
    ramp: values.ramp === false ? null : (shared('ramp') as Filled<Ramp>),
    isIgnored: values.isIgnored ?? null,
    isFailure: values.isFailure ?? null,
    classifyResult: values.classifyResult ?? null,
    attemptTimeoutMs: attemptTimeoutMs ?? null,
    restore: values.restore ?? null,
    onEvent: values.onEvent,
    clock: values.clock ?? systemClock,
  }
}

function contradictions(values: Values, given: BreakerOptions): void {
  const { mode, redis, windows, halfOpen, attemptTimeoutMs, restore } = values
  if ((mode === 'fleet' || mode === 'advisory') && redis === undefined) {
    throw new BreakerOptionsError('redis', `mode '${mode}' needs a Redis client`)
  }
  if (redis !== undefined && hasKeyPrefix(redis)) {
    throw new BreakerOptionsError('redis', 'a client with keyPrefix is refused: give the prefix to keyspace() instead')
  }
  if (windows.fast !== false && windows.fast.lengthMs > windows.long.lengthMs) {
    throw new BreakerOptionsError(
      'windows.fast.lengthMs',
      `must not be above windows.long.lengthMs (${windows.long.lengthMs})`,
    )
  }
  const { baseMs, maxMs } = given.coolOff ?? {}
  if (baseMs !== undefined && maxMs !== undefined && baseMs > maxMs) {
    throw new BreakerOptionsError('coolOff.maxMs', `must not be below coolOff.baseMs (${baseMs})`)
  }
  if (halfOpen.leaseMs !== undefined && attemptTimeoutMs !== undefined && halfOpen.leaseMs <= attemptTimeoutMs) {
    throw new BreakerOptionsError('halfOpen.leaseMs', `must be above attemptTimeoutMs (${attemptTimeoutMs})`)
  }
  if (restore !== undefined && restore.name !== values.name) {
    throw new BreakerOptionsError('restore.name', 'is a snapshot of another breaker')
  }
}

function hasKeyPrefix(redis: RedisClient): boolean {
  const options = redis.options as { keyPrefix?: unknown; redisOptions?: { keyPrefix?: unknown } } | undefined
  const prefix = options?.keyPrefix ?? options?.redisOptions?.keyPrefix
  return prefix !== undefined && prefix !== ''
}

/** The first problem zod found, as an error that names the field and never repeats a value. */
export function optionsError(error: z.ZodError, fallback = 'options'): BreakerOptionsError {
  const { path, message } = deepest(error.issues[0], [])
  return new BreakerOptionsError(path.length === 0 ? fallback : path.map(String).join('.'), message)
}

interface Problem {
  readonly path: readonly PropertyKey[]
  readonly message: string
}

function deepest(issue: z.core.$ZodIssue | undefined, above: readonly PropertyKey[]): Problem {
  if (issue === undefined) return { path: above, message: 'is invalid' }
  const path = [...above, ...issue.path]
  if (issue.code === 'unrecognized_keys') return { path: [...path, issue.keys[0] ?? ''], message: 'is not an option' }
  // Of `false | {...}` the object is what was meant, unless the value is something else altogether.
  if (issue.code === 'invalid_union') {
    const inside = issue.errors.at(-1)?.[0]
    if (inside !== undefined) return deepest(inside, path)
  }
  return { path, message: issue.message }
}
