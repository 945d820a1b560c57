import type { RedisClient } from '@safety/redis-core'
import { z } from 'zod'

import { assess } from './assess.ts'
import { conclude } from './build-report.ts'
import { isClientCheck } from './check.ts'
import type { ClientRole } from './client-role.ts'
import { checks } from './catalogue.gen.ts'
import { createClientSubject } from './client-subject.ts'
import { RedisChecksOptionsError } from './errors.ts'
import { PROFILES } from './level.ts'
import type { Profile } from './level.ts'
import { resolveOptions } from './options.ts'
import { assertClient } from './redis-checks.ts'
import { planDial } from './redis/dial-plan.ts'
import type { CheckResult } from './report.ts'
import { createScrub } from './scrub.ts'
import type { DeploymentFacts } from './subject.ts'

export interface LintClientOptions {
  /** How the client is used. */
  role: ClientRole
  /** @default 'idempotency.strict' */
  profile?: Profile
  /** Longest lease, milliseconds. */
  leaseMs?: number
  /** Replicas the deployment has. */
  replicas?: number
  /** @default the installed ioredis */
  ioredisVersion?: string
}

const schema = z.strictObject({
  role: z.enum(['effect', 'worker', 'subscriber']),
  profile: z.enum(PROFILES as [Profile, ...Profile[]]).optional(),
  leaseMs: z.number().positive().optional(),
  replicas: z.int().min(0).optional(),
  ioredisVersion: z
    .string()
    .regex(/^\d+\.\d+\.\d+/)
    .optional(),
})
const NO_DEPLOYMENT: DeploymentFacts = {
  topology: 'unknown',
  clientKind: 'standalone',
  nodes: [],
  notExamined: [],
  keyPrefix: '',
}

/**
 * Judges the options of a client, worst first. No I/O.
 *
 * @throws `ERR_REDIS_CHECKS_OPTIONS` naming the field
 * @example lintClient(redis, { role: 'effect' }).filter(result => result.level === 'fail')
 */
export function lintClient(redis: RedisClient, options: LintClientOptions): CheckResult[] {
  assertClient(redis)
  const parsed = schema.safeParse(options, { jitless: true })
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw new RedisChecksOptionsError(
      issue?.path.join('.') || 'options',
      `is not valid: ${issue?.message ?? 'unreadable'}`,
    )
  }
  const { role, profile = 'idempotency.strict', ...rest } = parsed.data
  const plan = planDial(redis)
  const only = checks.filter(check => isClientCheck(check)).map(check => check.id)
  const resolved = resolveOptions({ profile, only })
  const { results } = assess({
    deployment: NO_DEPLOYMENT,
    client: createClientSubject(redis, { role, profile, ...rest }),
    options: resolved,
    context: { profile, expect: {}, nowMs: 0, writeProbe: false, fast: false, attested: new Map() },
    signals: [],
    scrub: createScrub(plan.secrets),
    cliFlags: plan.cliFlags,
  })
  return conclude(results, NO_DEPLOYMENT, resolved).results
}
