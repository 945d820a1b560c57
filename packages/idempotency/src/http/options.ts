import { z } from 'zod'

import { MAX_RESULT_BYTES } from '../definition.ts'
import type { EffectOptions, Recovery } from '../effect.ts'
import { bounded, check, functionSchema } from '../options.ts'
import { HEADER_NAME, isRepeatable, recordBytesFor } from './answer.ts'
import type { HttpAnswer } from './answer.ts'

/** What an answer says about its effect: done for good, certainly not run, or nobody knows. */
export type HttpVerdict = 'keep' | 'not-run' | 'unknown'

type Settings = Pick<
  EffectOptions<unknown, HttpAnswer>,
  'leaseMs' | 'effectTimeoutMs' | 'retentionMs' | 'waitMs' | 'durability'
>

/** Settings of the three adapters; `R` is the framework's request. */
export interface HttpOptions<R> extends Settings {
  /** Whose keys these are: the authenticated tenant, never blank. Two tenants with one key are two intents. */
  scope: (request: R) => string
  /** What follows a handler whose end nobody knows. A lookup gives the answer as it would have been sent. */
  recovery: Recovery<HttpAnswer>
  /** Name of the effect. @default 'http' */
  effect?: string | undefined
  /** Methods that are guarded. @default ['POST', 'PATCH'] */
  methods?: readonly string[] | undefined
  /** Whether a request without a key is refused, or runs unguarded. @default true */
  required?: boolean | undefined
  /** @default 2xx, 3xx and 4xx keep; 408, 425 and 429 not-run; all others unknown */
  verdict?: ((status: number) => HttpVerdict) | undefined
  /** Put before the names of the problems to make their `type`. @default 'urn:safety:idempotency:' */
  problemBase?: string | undefined
  /** Headers a replay repeats beside `content-type`, `content-encoding`, `location`, `link` and `etag`. */
  headers?: readonly string[] | undefined
  /**
   * Longest body that is kept, in bytes, 0..1048576. A record, in which the body is JSON or base64 beside its headers, has
   * 1 MiB at most: above 700 KiB a body may be too long for it before it reaches this limit.
   * @default 65536
   */
  maxResultBytes?: number | undefined
}

export interface ResolvedHttpOptions<R> {
  readonly scope: (request: R) => string
  readonly effect: string
  readonly methods: ReadonlySet<string>
  readonly required: boolean
  readonly verdict: (status: number) => HttpVerdict
  readonly problemBase: string
  /** Lower case. */
  readonly headers: readonly string[]
  /** Of a body. */
  readonly maxResultBytes: number
  /** Here `maxResultBytes` is that of a record. */
  readonly settings: Settings & { readonly recovery: Recovery<HttpAnswer>; readonly maxResultBytes: number }
}

export const DEFAULT_MAX_ANSWER_BYTES = 65_536

const REPEATED = ['content-type', 'content-encoding', 'location', 'link', 'etag']

const SCHEMA = z.strictObject({
  scope: functionSchema<(request: never) => string>(),
  // The effect's own options are held against their bounds where the effect is defined.
  recovery: z.unknown().optional(),
  leaseMs: z.unknown().optional(),
  effectTimeoutMs: z.unknown().optional(),
  retentionMs: z.unknown().optional(),
  waitMs: z.unknown().optional(),
  durability: z.unknown().optional(),
  maxResultBytes: bounded(0, MAX_RESULT_BYTES).optional(),
  effect: z.string().optional(),
  methods: z.array(z.string().regex(HEADER_NAME, 'must be methods')).min(1).optional(),
  required: z.boolean().optional(),
  verdict: functionSchema<(status: number) => HttpVerdict>().optional(),
  problemBase: z.string().min(1).optional(),
  headers: z
    .array(
      z
        .string()
        .regex(HEADER_NAME, 'must be header names')
        .refine(isRepeatable, 'belongs to one message and cannot be repeated'),
    )
    .optional(),
})

/** @throws `ERR_IDEMPOTENCY_OPTIONS` naming the field */
export function resolveHttpOptions<R>(options: HttpOptions<R>): ResolvedHttpOptions<R> {
  const given = check(SCHEMA, options)
  const { recovery, leaseMs, effectTimeoutMs, retentionMs, waitMs, durability } = options
  const maxResultBytes = given.maxResultBytes ?? DEFAULT_MAX_ANSWER_BYTES
  return {
    scope: options.scope,
    effect: given.effect ?? 'http',
    methods: new Set((given.methods ?? ['POST', 'PATCH']).map(method => method.toUpperCase())),
    required: given.required ?? true,
    verdict: verdictOf(given.verdict),
    problemBase: given.problemBase ?? 'urn:safety:idempotency:',
    headers: [...new Set([...REPEATED, ...(given.headers ?? []).map(name => name.toLowerCase())])],
    maxResultBytes,
    settings: {
      recovery,
      leaseMs,
      effectTimeoutMs,
      retentionMs,
      waitMs,
      maxResultBytes: recordBytesFor(maxResultBytes),
      durability,
    },
  }
}

const NOT_RUN: ReadonlySet<number> = new Set([408, 425, 429])

function verdictByStatus(status: number): HttpVerdict {
  if (NOT_RUN.has(status)) return 'not-run'
  // Below 200 nothing was answered: `Response.error()` has 0.
  return status >= 200 && status < 500 ? 'keep' : 'unknown'
}

/** What the own function throws, or answers beside the three words, counts as unknown. */
function verdictOf(own: ((status: number) => HttpVerdict) | undefined): (status: number) => HttpVerdict {
  if (!own) return verdictByStatus
  return status => {
    try {
      const answer = own(status)
      return answer === 'keep' || answer === 'not-run' ? answer : 'unknown'
    } catch {
      return 'unknown'
    }
  }
}
