import { duplicatedParameter, empty, illegal, LEGAL, missing, tooPrecise, unread } from './refusal.ts'
import type { Refusal } from './refusal.ts'

/** What a parameter may look like. */
export type ParameterKind =
  | 'symbol'
  | 'symbols'
  | 'clientOrderId'
  | 'decimal'
  | 'integer'
  | 'recvWindow'
  | 'word'
  | 'interval'
  | 'signature'
  | 'text'

/** Name to kind; a kind ending in `!` is mandatory. */
export type ParameterSpecs = Readonly<Record<string, ParameterKind | `${ParameterKind}!`>>

/** Parameters that passed all syntactic checks, by name. */
export type Parameters = Readonly<Record<string, string>>

const MAX_DECIMALS = 8

const RANGES: Record<ParameterKind, string> = {
  symbol: LEGAL.symbol,
  symbols: '^\\["[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,99}\\]$',
  clientOrderId: LEGAL.clientOrderId,
  decimal: LEGAL.decimal,
  integer: LEGAL.integer,
  recvWindow: '^[0-9]{1,5}(\\.[0-9]{1,3})?$',
  word: LEGAL.word,
  interval: '^[0-9]{1,2}[smhdwM]$',
  signature: LEGAL.signature,
  text: '^.{1,200}$',
}

const PATTERNS = new Map(Object.entries(RANGES).map(([kind, range]) => [kind, new RegExp(range)]))

/** Parameters every signed call takes besides its own. */
export const SIGNED_PARAMETERS: ParameterSpecs = {
  recvWindow: 'recvWindow',
  timestamp: 'integer!',
  signature: 'signature!',
}

/** Parameters as they came, before any check. */
export interface SentParameters {
  values: ReadonlyMap<string, string>
  /** A name stood twice in one place. */
  duplicated: boolean
}

/** Splits query and body without judging them. A name in both places takes the query's value. */
export function splitParameters(rawQuery: string, rawBody: string): SentParameters {
  const query = split(rawQuery)
  const body = split(rawBody)
  return { values: new Map([...body.values, ...query.values]), duplicated: query.duplicated || body.duplicated }
}

/**
 * Reads what was sent against `specs`. The first failure answers, in the order: missing, empty, illegal characters,
 * twice in one place, unknown, too precise.
 */
export function readParameters(specs: ParameterSpecs, { values, duplicated }: SentParameters): Parameters | Refusal {
  for (const [name, kind] of Object.entries(specs)) {
    if (kind.endsWith('!') && !values.has(name)) return missing(name)
  }
  for (const [name, value] of values) if (value === '' && kindOf(specs, name) !== undefined) return empty(name)
  for (const [name, value] of values) {
    const kind = kindOf(specs, name)
    if (kind !== undefined && PATTERNS.get(kind)?.test(value) !== true) return illegal(name, RANGES[kind])
  }
  if (duplicated) return duplicatedParameter
  const known = [...values.keys()].filter(name => kindOf(specs, name) !== undefined)
  if (known.length < values.size) return unread(known.length, values.size)
  for (const [name, value] of values) {
    if (kindOf(specs, name) === 'decimal' && (value.split('.')[1]?.length ?? 0) > MAX_DECIMALS) return tooPrecise(name)
  }
  return Object.fromEntries(values)
}

/** True for a refusal, false for parameters: a refusal alone carries a numeric status. */
export function isRefusal(value: object): value is Refusal {
  return typeof (value as { status?: unknown }).status === 'number'
}

function kindOf(specs: ParameterSpecs, name: string): ParameterKind | undefined {
  const kind = Object.hasOwn(specs, name) ? specs[name] : undefined
  return kind?.replace('!', '') as ParameterKind | undefined
}

function split(raw: string): SentParameters {
  const values = new Map<string, string>()
  let duplicated = false
  for (const pair of raw.split('&')) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decode(equals < 0 ? pair : pair.slice(0, equals))
    if (values.has(name)) duplicated = true
    else values.set(name, equals < 0 ? '' : decode(pair.slice(equals + 1)))
  }
  return { values, duplicated }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    // A broken escape keeps its percent sign, which no legal range holds.
    return text
  }
}
