import type { StandardSchemaV1 } from '@standard-schema/spec'

import type { Effect, EffectContext, EffectOptions, Recovery } from './effect.ts'
import { optionError } from './errors.ts'
import { createGuardProxy } from './guard-proxy.ts'
import type { JsonValue } from './json.ts'

type Method = (...args: never[]) => unknown

/** Names of the methods of an object. */
type MethodName<O> = Extract<{ [K in keyof O]-?: O[K] extends Method ? K : never }[keyof O], string>

type ArgsOf<F> = F extends (...args: infer A) => unknown ? A : never
type ValueOf<F> = F extends (...args: never[]) => infer R ? Awaited<R> : never

/**
 * How one method is guarded: the settings of an effect, with the method itself as its `run`. Of an overloaded method the
 * last signature counts.
 */
export type GuardedMethod<A extends readonly unknown[], T> = Omit<
  EffectOptions<A, T>,
  'run' | 'key' | 'fingerprint' | 'memo' | 'recovery' | 'result'
> & {
  /** Names the intent, not its content: 1..16384 bytes of UTF-8, not blank. */
  key: (...args: A) => string
  /** The content, compared when the key is met again; `false` compares nothing. @default all arguments */
  fingerprint?: false | ((...args: A) => unknown) | undefined
  /** Kept with the claim for lookups and people: JSON of at most 1 KiB. */
  memo?: ((...args: A) => JsonValue) | undefined
  /** Any Standard Schema; both the executed and the replayed value pass it. */
  result?: StandardSchemaV1<unknown, T> | undefined
  recovery: Recovery<T>
  /** The arguments the method really gets, so that `effectId`, `fence` or `signal` reach the receiver. @default as given */
  mapArgs?: ((args: A, ctx: EffectContext) => A) | undefined
}

/** The methods of `O` to guard, by name. */
export type GuardMethods<O extends object> = {
  readonly [K in MethodName<O>]?: GuardedMethod<ArgsOf<O[K]>, ValueOf<O[K]>>
}

/** Refuses at compile time what `O` has no method for, and settings no guarded method has. */
export type KnownMethods<O extends object, M> = {
  readonly [K in keyof M]: K extends MethodName<O>
    ? { readonly [P in Exclude<keyof M[K], keyof GuardedMethod<never[], unknown>>]: never }
    : never
}

type AllAsync<O, M> = {
  [K in keyof M & keyof O]: O[K] extends (...args: never[]) => Promise<unknown> ? never : K
}[keyof M & keyof O]

/**
 * The guarded object: `O` itself where every guarded method gave a promise already, so that it fits wherever the
 * unguarded one did; else `O` with promises in place of the plain values.
 */
export type Guarded<O extends object, M> = [AllAsync<O, M>] extends [never]
  ? O
  : (O extends (...args: infer A) => infer R ? (...args: A) => R : unknown) & {
      [K in keyof O]: K extends keyof M
        ? O[K] extends Method
          ? (...args: ArgsOf<O[K]>) => Promise<ValueOf<O[K]>>
          : O[K]
        : O[K]
    }

type Define = <I, T>(effect: EffectOptions<I, T>) => Effect<I, T>
type AnyMethod = GuardedMethod<unknown[], unknown>

/** Defines an effect per listed method and puts them in front of the target. @throws `ERR_IDEMPOTENCY_OPTIONS` */
export function guardMethods<O extends object, M extends GuardMethods<O>>(
  define: Define,
  target: O,
  methods: M,
): Guarded<O, M> {
  if ((typeof target !== 'object' && typeof target !== 'function') || target === null) {
    throw optionError('target', 'is not an object')
  }
  if (typeof methods !== 'object' || methods === null) throw optionError('methods', 'is not an object')
  const guarded = new Map<PropertyKey, (...args: unknown[]) => Promise<unknown>>()
  for (const [name, method] of Object.entries(methods)) {
    if (method !== undefined) guarded.set(name, guardMethod(define, target, name, method as AnyMethod))
  }
  return createGuardProxy(target, guarded) as Guarded<O, M>
}

function guardMethod(
  define: Define,
  target: object,
  name: string,
  method: AnyMethod,
): (...args: unknown[]) => Promise<unknown> {
  methodOf(target, name)
  if (typeof method !== 'object' || method === null) throw optionError(`methods.${name}`, 'is not an object')
  if ('run' in method) throw optionError(`methods.${name}.run`, 'is not taken: the method itself is what runs')
  const { mapArgs, key, fingerprint, memo, ...options } = method
  if (mapArgs !== undefined && typeof mapArgs !== 'function') {
    throw optionError(`methods.${name}.mapArgs`, 'is not a function')
  }
  const effect = define<unknown[], unknown>({
    ...options,
    key: spread(key),
    fingerprint: spread(fingerprint),
    memo: spread(memo),
    run: (args, ctx) => Reflect.apply(methodOf(target, name), target, mapArgs ? mapArgs(args, ctx) : args),
  })
  return async (...args) => {
    const { value } = await effect(args)
    return value
  }
}

/** From a function of the method's arguments to one of their list; what is no function is left for `define` to refuse. */
function spread<F>(own: F): F extends (...args: infer A) => infer R ? (args: A) => R : F {
  type Spread = ReturnType<typeof spread<F>>
  if (typeof own !== 'function') return own as Spread
  return ((args: readonly unknown[]): unknown => Reflect.apply(own, undefined, args)) as Spread
}

/** Read at each call: a method that was replaced on the target since is the one that runs. */
function methodOf(target: object, name: string): (...args: never[]) => unknown {
  const method: unknown = Reflect.get(target, name, target)
  if (typeof method !== 'function') throw optionError(`methods.${name}`, 'is not a method of the target')
  return method as (...args: never[]) => unknown
}
