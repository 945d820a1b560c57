import { systemClock, systemRandom } from '@safety/redis-core'
import type { Clock, Random } from '@safety/redis-core'
import { z } from 'zod'

import type { ClientRole } from './client-role.ts'
import { checks } from './catalogue.gen.ts'
import { RedisChecksOptionsError } from './errors.ts'
import type { Listener } from './events.ts'
import type { Expectations } from './expectations.ts'
import { harmlessField, harmlessId } from './harmless.ts'
import { PROFILES } from './level.ts'
import type { Profile } from './level.ts'
import type { Acknowledgement, Report } from './report.ts'
import type { MetricRegistry } from './metric.ts'

export interface CheckOptions {
  /** What the application asks of Redis. */
  profile: Profile
  /** How the client is used; `none`: its options are not judged. @default 'effect' */
  clientRole?: ClientRole | 'none'
  /** What the application counts on. */
  expect?: Expectations
  /** Findings accepted until a date. */
  acknowledge?: Acknowledgement[]
  /** Ids to run; all others are skipped. */
  only?: string[]
  /** Ids to leave out. */
  skip?: string[]
  /** What a fact weighs that could not be read. @default 'fail' in idempotency.strict, else 'warn' */
  unknownAs?: 'warn' | 'fail'
  /** Whether masters get one short-lived key and the marker. @default true */
  writeProbe?: boolean
  /** An earlier report, for what grew and who changed. */
  previous?: Report
  /** The whole run, milliseconds, 100..60000. @default 5000 */
  timeoutMs?: number
  /** One node, milliseconds, 100..60000. @default min(2000, timeoutMs) */
  nodeTimeoutMs?: number
  /** Judges skew and expiry, and paces a watch; I/O limits run on real time. @default systemClock */
  clock?: Clock
  /** Ends the run: it rejects with the reason. Commands already sent may still run. */
  signal?: AbortSignal
  /** Called in a later turn. */
  onEvent?: Listener
}

export interface StartupOptions extends CheckOptions {
  /** `enforce` throws on findings; `report` only returns them. */
  mode: 'enforce' | 'report'
  /** The level that refuses. @default 'fail' */
  failOn?: 'fail' | 'warn'
  /** How long to run again, each second, while every finding may pass by itself, milliseconds, 0..600000. @default 0 */
  waitMs?: number
}

export interface WatchOptions extends CheckOptions {
  /** Milliseconds between fast runs, 1000..3600000. @default 30000 */
  fastIntervalMs?: number
  /** Milliseconds between full runs, 1000..86400000. @default 900000 */
  fullIntervalMs?: number
  /** Least milliseconds between two write probes, 1000..86400000. @default 300000 */
  probeIntervalMs?: number
  /** How long no claim may be granted after a suspected loss, milliseconds, 0..86400000. @default expect.leaseMs, else 30000 */
  holdOffMs?: number
  /** Source of the jitter. @default systemRandom */
  random?: Random
  /** A prom-client registry for `safety_redis_check_level`. */
  registry?: MetricRegistry
}

export interface ResolvedOptions {
  readonly profile: Profile
  readonly clientRole: ClientRole | 'none'
  readonly expect: Expectations
  readonly acknowledge: readonly Acknowledgement[]
  readonly only: ReadonlySet<string> | undefined
  readonly skip: ReadonlySet<string>
  readonly unknownAs: 'warn' | 'fail'
  readonly writeProbe: boolean
  readonly previous: Report | undefined
  readonly timeoutMs: number
  readonly nodeTimeoutMs: number
  readonly clock: Clock
  readonly signal: AbortSignal | undefined
  readonly onEvent: Listener | undefined
}

export interface ResolvedWatch extends ResolvedOptions {
  readonly fastIntervalMs: number
  readonly fullIntervalMs: number
  readonly probeIntervalMs: number
  readonly holdOffMs: number
  readonly random: Random
  readonly registry: MetricRegistry | undefined
}

/** In strict these can be neither acknowledged nor skipped. */
export const INALIENABLE: readonly string[] = ['eviction-policy', 'role', 'required-commands']
const LONGEST_HOLD_OFF_MS = 86_400_000
const DAY_MS = 86_400_000

const ids = new Set(checks.map(check => check.id))
const between = (least: number, most: number): z.ZodNumber => z.number().min(least).max(most)
const date = z.string().refine(text => !Number.isNaN(Date.parse(text)), 'must be an ISO 8601 date')
const withMethods = <T>(...methods: string[]): z.ZodType<T> =>
  z.custom<T>(
    value => methods.every(method => typeof (value as Record<string, unknown> | null)?.[method] === 'function'),
    `must have ${methods.join(', ')}`,
  )
const noCheck = (id: string | undefined): string => `names no check${id === undefined ? '' : `: ${id}`}`
const checkId = z.string().refine(id => ids.has(id), { error: ({ input }) => noCheck(harmlessId(String(input))) })
const acknowledgement = z.strictObject({
  id: checkId,
  node: z.string().min(1).optional(),
  reason: z.string().min(1),
  until: date,
})
const expectations = z.strictObject({
  topology: z.enum(['standalone', 'replication', 'sentinel', 'cluster']).optional(),
  replicas: z.int().min(0).max(100).optional(),
  minVersion: z
    .string()
    .regex(/^\d+(\.\d+){0,2}$/, 'must be a version such as 7.2')
    .optional(),
  keyPrefix: z.string().optional(),
  leaseMs: between(1, Number.MAX_SAFE_INTEGER).optional(),
  recordTtlMs: between(1, Number.MAX_SAFE_INTEGER).optional(),
  recordsPerSecond: between(0, Number.MAX_SAFE_INTEGER).optional(),
  bytesPerRecord: between(0, Number.MAX_SAFE_INTEGER).optional(),
  minFreeBytes: between(0, Number.MAX_SAFE_INTEGER).optional(),
  access: z
    .array(z.strictObject({ commands: z.array(z.string()), scriptCommands: z.array(z.string()).optional() }))
    .optional(),
  keyGroups: z.array(z.array(z.string()).min(1)).optional(),
  attest: z
    .array(z.strictObject({ fact: z.string().min(1), value: z.string(), reason: z.string().min(1), until: date }))
    .optional(),
})
const shape = {
  profile: z.enum(PROFILES as [Profile, ...Profile[]]),
  clientRole: z.enum(['effect', 'worker', 'subscriber', 'none']).optional(),
  expect: expectations.optional(),
  acknowledge: z.array(acknowledgement).optional(),
  only: z.array(checkId).optional(),
  skip: z.array(checkId).optional(),
  unknownAs: z.enum(['warn', 'fail']).optional(),
  writeProbe: z.boolean().optional(),
  previous: z.custom<Report>(value => (value as Report | null)?.schemaVersion === 1, 'must be a Report').optional(),
  timeoutMs: between(100, 60_000).optional(),
  nodeTimeoutMs: between(100, 60_000).optional(),
  clock: withMethods<Clock>('now', 'monotonic', 'sleep', 'setTimeout').optional(),
  signal: z.instanceof(AbortSignal).optional(),
  onEvent: z.custom<Listener>(value => typeof value === 'function', 'must be a function').optional(),
}
const checkSchema = z.strictObject(shape)
const startupSchema = z.strictObject({
  ...shape,
  mode: z.enum(['enforce', 'report']),
  failOn: z.enum(['fail', 'warn']).optional(),
  waitMs: between(0, 600_000).optional(),
})
const watchSchema = z.strictObject({
  ...shape,
  fastIntervalMs: between(1000, 3_600_000).optional(),
  fullIntervalMs: between(1000, DAY_MS).optional(),
  probeIntervalMs: between(1000, DAY_MS).optional(),
  holdOffMs: between(0, LONGEST_HOLD_OFF_MS).optional(),
  random: withMethods<Random>('float', 'bytes').optional(),
  registry: withMethods<MetricRegistry>('registerMetric', 'getSingleMetric').optional(),
})

/** @throws `ERR_REDIS_CHECKS_OPTIONS` naming the field */
export function resolveOptions(options: CheckOptions): ResolvedOptions {
  return resolve(parse(checkSchema, options) as CheckOptions)
}

/** @throws `ERR_REDIS_CHECKS_OPTIONS` naming the field */
export function resolveStartup(
  options: StartupOptions,
): ResolvedOptions & Required<Pick<StartupOptions, 'mode' | 'failOn' | 'waitMs'>> {
  const { mode, failOn = 'fail', waitMs = 0, ...rest } = parse(startupSchema, options) as StartupOptions
  return { ...resolve(rest), mode, failOn, waitMs }
}

/** @throws `ERR_REDIS_CHECKS_OPTIONS` naming the field */
export function resolveWatch(options: WatchOptions): ResolvedWatch {
  const given = parse(watchSchema, options) as WatchOptions
  return {
    ...resolve(given),
    fastIntervalMs: given.fastIntervalMs ?? 30_000,
    fullIntervalMs: given.fullIntervalMs ?? 900_000,
    probeIntervalMs: given.probeIntervalMs ?? 300_000,
    holdOffMs: given.holdOffMs ?? Math.min(LONGEST_HOLD_OFF_MS, given.expect?.leaseMs ?? 30_000),
    random: given.random ?? systemRandom,
    registry: given.registry,
  }
}

function resolve(options: CheckOptions): ResolvedOptions {
  const { profile, timeoutMs = 5000 } = options
  if (profile === 'idempotency.strict') refuseSkips(options)
  return {
    profile,
    clientRole: options.clientRole ?? 'effect',
    expect: options.expect ?? {},
    acknowledge: options.acknowledge ?? [],
    only: options.only === undefined ? undefined : new Set(options.only),
    skip: new Set(options.skip),
    unknownAs: options.unknownAs ?? (profile === 'idempotency.strict' ? 'fail' : 'warn'),
    writeProbe: options.writeProbe ?? true,
    previous: options.previous,
    timeoutMs,
    nodeTimeoutMs: Math.min(options.nodeTimeoutMs ?? 2000, timeoutMs),
    clock: options.clock ?? systemClock,
    signal: options.signal,
    onEvent: options.onEvent,
  }
}

function refuseSkips({ skip = [] }: CheckOptions): void {
  const id = skip.find(id => INALIENABLE.includes(id))
  if (id !== undefined)
    throw new RedisChecksOptionsError('skip', `holds ${id}, which idempotency.strict never leaves out`)
}

function parse(schema: z.ZodType, options: unknown): unknown {
  // Read once per run: compiling a parser first would take longer.
  const parsed = schema.safeParse(options, { jitless: true })
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const path = (issue?.path ?? []).map(String)
  if (issue?.code !== 'unrecognized_keys') {
    throw new RedisChecksOptionsError(nameOf(path), `is not valid: ${issue?.message ?? 'unreadable'}`)
  }
  const stranger = harmlessField(issue.keys[0] ?? '')
  if (stranger === undefined) throw new RedisChecksOptionsError(nameOf(path), 'holds a field that is not known')
  throw new RedisChecksOptionsError(nameOf([...path, stranger]), 'is not known')
}

function nameOf(path: readonly string[]): string {
  return path.join('.') || 'options'
}
