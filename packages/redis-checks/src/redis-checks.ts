import { systemClock } from '@safety/redis-core'
import type { RedisClient } from '@safety/redis-core'

import { assess } from './assess.ts'
import type { Assessment } from './assess.ts'
import { buildReport } from './build-report.ts'
import { createClientSubject } from './client-subject.ts'
import type { ClientSubject } from './client-subject.ts'
import { RedisChecksOptionsError } from './errors.ts'
import { redisChecksChannel } from './events.ts'
import { accessNeed } from './expectations.ts'
import { findLoss } from './find-loss.ts'
import type { LossSignal } from './loss-signal.ts'
import { resolveOptions } from './options.ts'
import type { CheckOptions, ResolvedOptions } from './options.ts'
import { createConnections } from './redis/connections.ts'
import type { Connections } from './redis/connections.ts'
import type { NodeFacts } from './node-facts.ts'
import { planDial } from './redis/dial-plan.ts'
import type { DialPlan } from './redis/dial-plan.ts'
import { examine } from './redis/examine.ts'
import type { Report } from './report.ts'
import { createScrub } from './scrub.ts'
import type { Scrub } from './scrub.ts'
import type { DeploymentFacts, RunContext } from './subject.ts'

export const DEFAULT_KEY_PREFIX = 'safety:'
const DAY_MS = 86_400_000

/** What a run needs besides the options: a watch keeps its connections and remembers what was refused. */
export interface RunAsk {
  readonly redis: RedisClient
  readonly options: ResolvedOptions
  readonly plan: DialPlan
  readonly connections: Connections
  readonly fast: boolean
  readonly writeProbe: boolean
  readonly refusedBefore: ReadonlyMap<string, ReadonlySet<string>>
  readonly markerTags: ReadonlyMap<string, string>
  /** Losses a watch found on earlier runs. */
  readonly knownLosses?: readonly LossSignal[]
}

export interface RunResult {
  readonly report: Report
  readonly deployment: DeploymentFacts
  readonly signals: readonly LossSignal[]
}

/**
 * Says which guarantee this Redis and this client cannot keep, on every node, by what evidence, and what to change. A pass
 * means not disproved: a setting is intent, and a probe proves one write at one moment. The client is read, never used: all
 * goes through connections of the checks' own, within `timeoutMs`. A Redis that is away gives a report.
 *
 * @throws `ERR_REDIS_CHECKS_OPTIONS` before any I/O; an abort rejects with `signal.reason`
 * @example
 * const report = await checkRedis(redis, { profile: 'idempotency.standard' })
 * if (report.level === 'fail') process.exitCode = 1
 */
export async function checkRedis(redis: RedisClient, options: CheckOptions): Promise<Report> {
  assertClient(redis)
  return checkOnce(redis, resolveOptions(options))
}

/** One full run over connections of its own, by options already read. */
export async function checkOnce(redis: RedisClient, resolved: ResolvedOptions): Promise<Report> {
  resolved.signal?.throwIfAborted()
  const plan = planDial(redis)
  const connections = createConnections(plan)
  try {
    const { report } = await runChecks({
      redis,
      options: resolved,
      plan,
      connections,
      fast: false,
      writeProbe: resolved.writeProbe,
      refusedBefore: new Map(),
      markerTags: new Map(),
    })
    return report
  } finally {
    connections.close()
  }
}

/** One run over given connections, with its events. */
export async function runChecks(ask: RunAsk): Promise<RunResult> {
  const { redis, options, plan } = ask
  const { clock } = options
  const startedMs = clock.now()
  const started = systemClock.monotonic()
  const keyPrefix = `${plan.keyPrefix}${options.expect.keyPrefix ?? DEFAULT_KEY_PREFIX}`
  const scrub = createScrub(plan.secrets)
  const examined = await examine({
    plan,
    connections: ask.connections,
    fast: ask.fast,
    clock,
    keyPrefix,
    need: accessNeed(options.profile, options.expect),
    writeProbe: ask.writeProbe,
    replicas: options.expect.replicas,
    markerTtlMs: Math.max(options.expect.recordTtlMs ?? 0, DAY_MS),
    timeoutMs: options.timeoutMs,
    nodeTimeoutMs: options.nodeTimeoutMs,
    signal: options.signal,
    refusedBefore: ask.refusedBefore,
    markerTags: ask.markerTags,
  })
  const deployment = { ...examined, nodes: examined.nodes.map(node => withCleanFailure(node, scrub)) }
  const nowMs = clock.now()
  const found = findLoss(deployment.nodes, options.previous, { profile: options.profile, fast: ask.fast })
  const signals = [...found, ...(ask.knownLosses ?? [])]
  const context = contextOf(ask, nowMs)
  const assessment = assess({
    deployment,
    client: clientOf(redis, options),
    options,
    context,
    signals,
    scrub,
    cliFlags: plan.cliFlags,
  })
  const durationMs = systemClock.monotonic() - started
  const report = buildReport({ deployment, assessment, options, startedMs, nowMs, durationMs, scrub })
  tell(ask, report, assessment)
  return { report, deployment, signals: found }
}

/** The sentence of the summary tells it as it is. */
function withCleanFailure(node: NodeFacts, scrub: Scrub): NodeFacts {
  return node.failure === null ? node : { ...node, failure: { ...node.failure, text: scrub(node.failure.text) } }
}

function contextOf({ options, fast, writeProbe }: RunAsk, nowMs: number): RunContext {
  const attest = (options.expect.attest ?? []).filter(({ until }) => Date.parse(until) > nowMs)
  return {
    profile: options.profile,
    expect: options.expect,
    nowMs,
    writeProbe,
    fast,
    attested: new Map(attest.map(({ fact, value }) => [fact, value])),
  }
}

function clientOf(redis: RedisClient, options: ResolvedOptions): ClientSubject | null {
  const { clientRole, profile, expect } = options
  if (clientRole === 'none') return null
  return createClientSubject(redis, { role: clientRole, profile, leaseMs: expect.leaseMs, replicas: expect.replicas })
}

function tell({ options, fast }: RunAsk, report: Report, { crashed }: Assessment): void {
  const emit = redisChecksChannel.emitter(options.onEvent)
  const atMs = options.clock.now()
  for (const crash of crashed) emit(() => ({ type: 'check-crashed', atMs, ...crash }))
  const { level, complete, durationMs } = report
  emit(() => ({ type: 'checked', atMs, level, complete, durationMs, fast }))
}

export function assertClient(redis: unknown): asserts redis is RedisClient {
  const candidate = redis as { duplicate?: unknown; options?: unknown } | null | undefined
  if (typeof candidate?.duplicate !== 'function' || typeof candidate.options !== 'object') {
    throw new RedisChecksOptionsError('redis', 'is not an ioredis client')
  }
}
