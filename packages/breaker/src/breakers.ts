import { isDeepStrictEqual } from 'node:util'

import { breakerFrom } from './breaker.ts'
import type { Breaker } from './breaker.ts'
import { BreakerDisposedError, BreakerLimitError, BreakerOptionsError } from './errors.ts'
import { resolveOptions } from './options.ts'
import type { BreakerOptions, ResolvedOptions } from './options.ts'
import { createToken } from '@safety/redis-core'

const DEFAULT_MAX_NAMES = 256
const MOST_NAMES = 10_000

/** What all breakers of one registry share. */
export interface BreakersDefaults extends Omit<BreakerOptions, 'name' | 'restore'> {
  /** 1..10 000 names. @default 256 */
  readonly maxNames?: number | undefined
}

/** What one name may have of its own, field by field. */
export type BreakerOverrides = Partial<Omit<BreakerOptions, 'name' | 'redis' | 'keyspace' | 'instance'>>

/** One breaker per dependency or job type. */
export interface Breakers extends AsyncDisposable {
  names(): string[]
  /**
   * The breaker of this name: the same object each time. `overrides` are merged into the defaults field by field, and
   * hold for the name from its first use on.
   *
   * @throws `ERR_BREAKER_OPTIONS` when a known name is asked for with other options (`field` is the first that differs) or
   * an option is invalid, `ERR_BREAKER_LIMIT` beyond `maxNames`, `ERR_BREAKER_DISPOSED`
   */
  get(name: string, overrides?: BreakerOverrides): Breaker
}

interface Entry {
  readonly breaker: Breaker
  readonly options: ResolvedOptions
}

/**
 * A registry of breakers. Names come from a closed set, never from input: each costs memory, keys and heartbeats.
 *
 * @throws `ERR_BREAKER_OPTIONS` (no retry helps); `field` names the option
 */
export function createBreakers(defaults: BreakersDefaults): Breakers {
  const { maxNames = DEFAULT_MAX_NAMES, ...given } = defaults
  if (!Number.isInteger(maxNames) || maxNames < 1 || maxNames > MOST_NAMES) {
    throw new BreakerOptionsError('maxNames', `must be an integer from 1 to ${MOST_NAMES}`)
  }
  // All breakers of this process are one member of the fleet.
  const base = { ...given, instance: given.instance ?? createToken(given.random) }
  resolveOptions({ ...base, name: 'defaults' })
  const entries = new Map<string, Entry>()
  let disposed = false

  function create(name: string, overrides: BreakerOverrides): Breaker {
    const options = resolveOptions(merge(base, overrides, name))
    if (entries.size >= maxNames) throw new BreakerLimitError('names', maxNames)
    const breaker = breakerFrom(options)
    entries.set(name, { breaker, options })
    return breaker
  }

  return {
    names: () => [...entries.keys()],
    get(name, overrides = {}) {
      if (disposed) throw new BreakerDisposedError(name)
      const known = entries.get(name)
      if (known === undefined) return create(name, overrides)
      const asked = Object.values(overrides).some(value => value !== undefined)
      if (asked) refuseOther(known.options, resolveOptions(merge(base, overrides, name)))
      return known.breaker
    },
    async [Symbol.asyncDispose]() {
      disposed = true
      await Promise.all([...entries.values()].map(({ breaker }) => breaker[Symbol.asyncDispose]()))
    },
  }
}

const FIXED: ReadonlySet<string> = new Set(['name', 'redis', 'keyspace', 'instance', 'maxNames'])

function merge(base: Omit<BreakerOptions, 'name'>, overrides: BreakerOverrides, name: string): BreakerOptions {
  for (const field of Object.keys(overrides)) {
    if (FIXED.has(field)) throw new BreakerOptionsError(field, 'is the same for all breakers of a registry')
  }
  return { ...(mergeFields(base, overrides) as Omit<BreakerOptions, 'name'>), name }
}

function mergeFields(base: object, over: object): object {
  const merged: Record<string, unknown> = { ...base }
  for (const [field, value] of Object.entries(over)) {
    if (value === undefined) continue
    const below = merged[field]
    merged[field] = isPlain(value) && isPlain(below) && field !== 'restore' ? mergeFields(below, value) : value
  }
  return merged
}

function isPlain(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}

function refuseOther(known: ResolvedOptions, asked: ResolvedOptions): void {
  for (const field of Object.keys(known) as (keyof ResolvedOptions)[]) {
    // Functions, clients and clocks are the same when they are the same object.
    const same =
      Object.is(known[field], asked[field]) || (isPlain(known[field]) && isDeepStrictEqual(known[field], asked[field]))
    if (!same) {
      throw new BreakerOptionsError(
        field,
        `breaker "${known.name}" exists with another value. One name has one set of options`,
      )
    }
  }
}
