import type { Evidence, UnknownBecause } from './report.ts'

/** Where a fact comes from. */
export interface Origin {
  readonly evidence: Evidence
  /** The command, field or option it was read from. */
  readonly source: string
}

export interface KnownFact<T> extends Origin {
  readonly known: true
  readonly value: T
}

export interface MissingFact extends Origin {
  readonly known: false
  readonly because: UnknownBecause
  readonly detail: string
}

/** One thing about Redis, or why it is not known. */
export type Fact<T> = KnownFact<T> | MissingFact

export function known<T>(value: T, evidence: Evidence, source: string): KnownFact<T> {
  return { known: true, value, evidence, source }
}

export function missing(because: UnknownBecause, source: string, detail: string): MissingFact {
  return { known: false, because, source, detail, evidence: 'none' }
}

export function mapFact<T, R>(fact: Fact<T>, change: (value: T) => R | undefined): Fact<R> {
  if (!fact.known) return fact
  const value = change(fact.value)
  if (value === undefined) return missing('not-shown', fact.source, `${fact.source} shows nothing readable`)
  return { ...fact, value }
}

/** The first that is known; else the first, whose reason tells most. */
export function firstKnown<T>(first: Fact<T>, ...others: readonly Fact<T>[]): Fact<T> {
  return [first, ...others].find(fact => fact.known) ?? first
}

/** A fact that is a whole or decimal number. */
export function numberOf(fact: Fact<string>): Fact<number> {
  return mapFact(fact, text => (text.trim() === '' || Number.isNaN(Number(text)) ? undefined : Number(text)))
}
