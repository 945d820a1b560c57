import type { EffectContext, EffectOptions, Execution } from '../effect.ts'
import { IdempotencyError } from '../errors.ts'
import type { Idempotency } from '../idempotency.ts'
import type { JsonValue } from '../json.ts'
import { sha256 } from '../sha256.ts'
import { ANSWER, answerOf } from './answer.ts'
import type { GivenAnswer, HttpAnswer } from './answer.ts'
import { parseKeyHeader } from './key-header.ts'
import type { HttpOptions, ResolvedHttpOptions } from './options.ts'
import { resolveHttpOptions } from './options.ts'
import { problem, problemOf } from './problem.ts'
import type { Problem } from './problem.ts'
import { requestPayload } from './request-payload.ts'
import type { RequestBody } from './request-payload.ts'

/** A request as every adapter reads it. */
export interface IncomingRequest {
  readonly method: string
  /** The pattern that matched, or the path. */
  readonly route: string
  /** Path and query. */
  readonly url: string
  readonly contentType: string | undefined
  readonly body: RequestBody
}

/** A handler at work on a guarded request. Whichever of the three comes first ends it. */
export interface Turn {
  readonly ctx: EffectContext
  /**
   * The handler answered. Resolves once that is recorded, or it is clear that it cannot be for now.
   *
   * @returns another answer that is the recorded one, to be sent in place of the handler's
   */
  answered(answer: GivenAnswer): Promise<HttpAnswer | undefined>
  /** The handler answered past this package: done, with nothing to repeat. */
  answeredUnseen(status: number): Promise<void>
  /** The handler threw. */
  threw(error: unknown): Promise<HttpAnswer | undefined>
}

/** What an adapter does with a request. */
export type Ruling =
  | { readonly kind: 'run'; readonly turn: Turn }
  | { readonly kind: 'replay'; readonly answer: HttpAnswer }
  | { readonly kind: 'problem'; readonly problem: Problem }

/** The one way through for all adapters. */
export interface Turnstile<R> {
  readonly options: ResolvedHttpOptions<R>
  /** Whether requests of this method are looked at. */
  guards(method: string): boolean
  /** @returns the key, a problem to answer with, or undefined for a request that runs unguarded */
  keyOf(header: string | undefined): { readonly key: string } | { readonly problem: Problem } | undefined
  /**
   * Claims, and returns when the handler may run or the answer is known.
   *
   * @throws what `scope` throws; `IdempotencyError` OPTIONS, KEY and FINGERPRINT
   */
  enter(request: R, incoming: IncomingRequest, key: string): Promise<Ruling>
}

/** One call of the effect: what is compared, and how to set the handler off. */
interface Call {
  readonly key: string
  readonly payload: string
  readonly memo: JsonValue
  readonly run: (ctx: EffectContext) => Promise<HttpAnswer>
}

/** An answer that says the effect did not run, or that nobody knows. Read by the default classifier. */
class AnsweredWithout extends Error {
  readonly outcome: 'not-run' | 'unknown'

  constructor(status: number, outcome: 'not-run' | 'unknown') {
    super(`the handler answered ${status}`)
    this.outcome = outcome
  }
}

/** Stands for an answer nobody saw, or one too long; JSON cannot carry it, so it is recorded as done without one. */
class NoAnswer {
  readonly kept = false
}

/** @throws `ERR_IDEMPOTENCY_OPTIONS` naming the field */
export function createTurnstile<R>(idem: Pick<Idempotency, 'define'>, given: HttpOptions<R>): Turnstile<R> {
  const options = resolveHttpOptions(given)
  const effect = idem.define<Call, HttpAnswer>({
    ...(options.settings satisfies Partial<EffectOptions<Call, HttpAnswer>>),
    name: options.effect,
    key: call => call.key,
    fingerprint: call => call.payload,
    memo: call => call.memo,
    result: ANSWER,
    onBusy: 'reject',
    run: (call, ctx) => call.run(ctx),
  })
  return {
    options,
    guards: method => options.methods.has(method.toUpperCase()),
    keyOf(header) {
      const read = parseKeyHeader(header)
      if (read.kind === 'key') return { key: read.key }
      if (read.kind === 'malformed') return { problem: problem('malformed-key') }
      return options.required ? { problem: problem('missing-key') } : undefined
    },
    async enter(request, incoming, key) {
      const scope = scopeOf(options.scope(request))
      const { method, route, url, body, contentType } = incoming
      const started = Promise.withResolvers<EffectContext>()
      const ended = Promise.withResolvers<HttpAnswer>()
      let runs = 0
      const execution = effect({
        key: keyText([scope, method, route, key]),
        payload: requestPayload(method, url, body, contentType),
        memo: memoOf({ scope, method, url, key }),
        run(ctx) {
          runs += 1
          // The request is used up: whoever sends it again starts anew.
          if (runs > 1) return Promise.reject(new AnsweredWithout(0, 'not-run'))
          started.resolve(ctx)
          return ended.promise
        },
      })
      const settled = execution.then(
        (value): Settled => ({ value }),
        (error: unknown): Settled => ({ error }),
      )
      const first = await Promise.race([started.promise.then(ctx => ({ ctx })), settled])
      if ('ctx' in first) return { kind: 'run', turn: createTurn(options, first.ctx, ended, settled) }
      return rulingOf(first)
    },
  }
}

type Settled = { readonly value: Execution<HttpAnswer> } | { readonly error: unknown }

function rulingOf(settled: Settled): Ruling {
  if ('value' in settled) return { kind: 'replay', answer: settled.value.value }
  const answer = problemOf(settled.error)
  if (answer) return { kind: 'problem', problem: answer }
  throw settled.error
}

function createTurn<R>(
  options: ResolvedHttpOptions<R>,
  ctx: EffectContext,
  ended: PromiseWithResolvers<HttpAnswer>,
  settled: Promise<Settled>,
): Turn {
  /** The recorded answer, if that is not the handler's own. */
  async function other(): Promise<HttpAnswer | undefined> {
    const end = await settled
    return 'value' in end && end.value.status === 'replayed' ? end.value.value : undefined
  }
  function endWithout(status: number, verdict: 'not-run' | 'unknown'): void {
    ended.reject(new AnsweredWithout(status, verdict))
  }
  return {
    ctx,
    answered(answer) {
      const verdict = options.verdict(answer.status)
      if (verdict === 'keep') ended.resolve(keptOf(options, answer))
      else endWithout(answer.status, verdict)
      return other()
    },
    async answeredUnseen(status) {
      const verdict = options.verdict(status)
      if (verdict === 'keep') ended.resolve(NO_ANSWER)
      else endWithout(status, verdict)
      await settled
    },
    threw(error) {
      ended.reject(error)
      return other()
    },
  }
}

const NO_ANSWER = new NoAnswer() as unknown as HttpAnswer

function keptOf<R>({ headers, maxResultBytes }: ResolvedHttpOptions<R>, answer: GivenAnswer): HttpAnswer {
  return answer.body.length > maxResultBytes ? NO_ANSWER : answerOf(answer, headers, maxResultBytes)
}

function scopeOf(scope: unknown): string {
  if (typeof scope === 'string' && scope.trim() !== '') return scope
  throw new IdempotencyError('ERR_IDEMPOTENCY_OPTIONS', 'option scope gives no text, or a blank one', {
    option: 'scope',
  })
}

/** The longest key an effect takes. */
const MAX_KEY_BYTES = 16_384

/**
 * `scope:METHOD:route:key`; separators within the parts are escaped. A longer text than keys may be is `sha256:` and its
 * digest, which is no text of four parts.
 */
function keyText(parts: readonly string[]): string {
  const text = parts.map(part => part.replaceAll('%', '%25').replaceAll(':', '%3A')).join(':')
  return Buffer.byteLength(text) <= MAX_KEY_BYTES ? text : `sha256:${sha256(text, 'hex')}`
}

const MAX_MEMO_BYTES = 1024

/** For lookups and people; the longer texts are left out of a memo that would not be taken. */
function memoOf(memo: { scope: string; method: string; url: string; key: string }): JsonValue {
  const { url: _url, ...short } = memo
  const { scope: _scope, ...shortest } = short
  return [memo, short].find(each => Buffer.byteLength(JSON.stringify(each)) <= MAX_MEMO_BYTES) ?? shortest
}
