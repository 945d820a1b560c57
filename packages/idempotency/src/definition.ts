import type { StandardSchemaV1 } from '@standard-schema/spec'
import { z } from 'zod'

import { classifyEffectError } from './classify.ts'
import type { EffectContext, EffectOptions, LookupAnswer, LookupContext, Recovery } from './effect.ts'
import { optionError } from './errors.ts'
import type { JsonValue } from './json.ts'
import { bounded, check, functionSchema } from './options.ts'
import type { Mode } from './record.ts'

/** An effect with every default filled in. `I` and `T` are gone: the definition is what the engine works on. */
export interface Definition {
  readonly name: string
  readonly key: (input: unknown) => string
  readonly fingerprint: false | ((input: unknown) => unknown)
  readonly memo: ((input: unknown) => JsonValue | undefined) | undefined
  readonly result: StandardSchemaV1 | undefined
  readonly mode: Mode
  readonly lookup: ((ctx: LookupContext) => Promise<LookupAnswer<unknown>>) | undefined
  readonly settleMs: number
  readonly lookupTimeoutMs: number
  readonly leaseMs: number
  readonly effectTimeoutMs: number
  readonly retentionMs: number
  readonly waitMs: number
  readonly maxResultBytes: number
  readonly onBusy: 'wait' | 'reject'
  readonly onStoreDown: 'refuse' | 'run'
  readonly classifyError: (error: unknown) => 'not-run' | 'failed' | 'unknown'
  readonly durability: { readonly replicas: number; readonly timeoutMs: number } | undefined
  readonly run: (input: unknown, ctx: EffectContext) => unknown
}

const DAY_MS = 86_400_000
export const DEFAULT_RETENTION_MS: number = 3 * DAY_MS
export const DEFAULT_MAX_RESULT_BYTES = 65_536
/** As much as any effect may ask to be kept. */
export const MAX_RESULT_BYTES = 1_048_576
const MAX_RETENTION_MS = 3650 * DAY_MS

type AnyFunction = (...args: never[]) => unknown

const RECOVERY = z.discriminatedUnion('mode', [
  z.strictObject({ mode: z.literal('repeat') }),
  z.strictObject({ mode: z.literal('manual') }),
  z.strictObject({
    mode: z.literal('reconcile'),
    lookup: functionSchema<(ctx: LookupContext) => Promise<LookupAnswer<unknown>>>(),
    settleMs: bounded(0, DAY_MS),
    lookupTimeoutMs: bounded(1, DAY_MS).optional(),
  }),
])

const SCHEMA = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9_.-]{0,47}$/, 'must match [a-z][a-z0-9_.-]{0,47}'),
  key: functionSchema<AnyFunction>(),
  fingerprint: z.union([z.literal(false), functionSchema<AnyFunction>()]).optional(),
  memo: functionSchema<AnyFunction>().optional(),
  result: z
    .custom<StandardSchemaV1>(
      value => typeof (value as StandardSchemaV1 | null)?.['~standard']?.validate === 'function',
      'must be a Standard Schema',
    )
    .optional(),
  recovery: RECOVERY,
  leaseMs: bounded(50, 3_600_000).optional(),
  effectTimeoutMs: bounded(1, DAY_MS).optional(),
  retentionMs: bounded(1, MAX_RETENTION_MS).optional(),
  waitMs: bounded(1, DAY_MS).optional(),
  maxResultBytes: bounded(0, MAX_RESULT_BYTES).optional(),
  onBusy: z.enum(['wait', 'reject']).optional(),
  onStoreDown: z.enum(['refuse', 'run']).optional(),
  classifyError: functionSchema<(error: unknown) => 'not-run' | 'failed' | 'unknown'>().optional(),
  durability: z.strictObject({ replicas: bounded(1, 100), timeoutMs: bounded(1, 10_000) }).optional(),
  run: functionSchema<AnyFunction>(),
})

/** Fills in defaults and holds the options against each other. @throws `ERR_IDEMPOTENCY_OPTIONS` naming the field */
export function resolveEffect<I, T>(options: EffectOptions<I, T>): Definition {
  const given = check(SCHEMA, options)
  const recovery = given.recovery as Recovery<unknown>
  const reconcile = recovery.mode === 'reconcile' ? recovery : undefined
  const definition: Definition = {
    name: given.name,
    key: given.key as (input: unknown) => string,
    fingerprint: given.fingerprint === undefined ? input => input : (given.fingerprint as Definition['fingerprint']),
    memo: given.memo as Definition['memo'],
    result: given.result,
    mode: recovery.mode,
    lookup: reconcile?.lookup,
    settleMs: reconcile?.settleMs ?? 0,
    lookupTimeoutMs: reconcile?.lookupTimeoutMs ?? 5000,
    leaseMs: given.leaseMs ?? 30_000,
    effectTimeoutMs: given.effectTimeoutMs ?? 60_000,
    retentionMs: given.retentionMs ?? DEFAULT_RETENTION_MS,
    waitMs: given.waitMs ?? 30_000,
    maxResultBytes: given.maxResultBytes ?? DEFAULT_MAX_RESULT_BYTES,
    onBusy: given.onBusy ?? 'wait',
    onStoreDown: given.onStoreDown ?? 'refuse',
    classifyError: classifyEffectError(given.classifyError),
    durability: given.durability,
    run: given.run as Definition['run'],
  }
  checkTogether(definition)
  return definition
}

function checkTogether({ leaseMs, settleMs, effectTimeoutMs, retentionMs, onStoreDown, mode }: Definition): void {
  const least = leaseMs + settleMs + effectTimeoutMs
  if (retentionMs < least) {
    throw optionError('retentionMs', `is ${retentionMs}, below leaseMs + settleMs + effectTimeoutMs = ${least}`)
  }
  if (onStoreDown === 'run' && mode !== 'repeat') {
    throw optionError(
      'onStoreDown',
      `'run' needs recovery mode 'repeat': in mode '${mode}' an unprotected run could double the effect`,
    )
  }
}
