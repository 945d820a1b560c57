import type { Definition } from './definition.ts'
import { effectIdOf } from './engine.ts'
import type { Subject } from './engine.ts'
import { IdempotencyError, optionError } from './errors.ts'
import { fingerprintOf, NotCanonicalError } from './fingerprint.ts'
import { toJsonText } from './json.ts'
import type { Place, Store } from './store.ts'

/** One call's intent. Key, fingerprint and memo are computed once, so that an input changed by `run` changes nothing. */
export interface Intent extends Subject {
  readonly definition: Definition
  readonly input: unknown
  /** 22 characters, or `-` when nothing is compared. */
  readonly fingerprint: string
  /** JSON, or empty for none. */
  readonly memoText: string
}

const MAX_KEY_BYTES = 16_384
const MAX_MEMO_BYTES = 1024
/** What nearly all keys are. */
const PLAIN = /^[A-Za-z0-9_.:-]{1,128}$/

/** @throws `ERR_IDEMPOTENCY_KEY`, `ERR_IDEMPOTENCY_FINGERPRINT`, `ERR_IDEMPOTENCY_OPTIONS` (memo) */
export function createIntent(store: Store, definition: Definition, input: unknown): Intent {
  const subject = createSubject(store, definition.name, callKey(definition, input))
  const { place, key, computeId } = subject
  return {
    place,
    key,
    computeId,
    id: undefined,
    definition,
    input,
    fingerprint: definition.fingerprint === false ? '-' : fingerprint(definition.fingerprint, input, subject),
    memoText: definition.memo === undefined ? '' : memoText(definition.memo, input),
  }
}

/** @throws `ERR_IDEMPOTENCY_KEY` */
export function createSubject(store: Store, effect: string, key: unknown): Subject {
  const text = checkKey(effect, key)
  const place = store.place(effect, text)
  return { place, key: place.part === text ? text : shownKey(place.part), computeId: store.effectId, id: undefined }
}

export function subjectOf(store: Store, place: Place): Subject {
  return { place, key: shownKey(place.part), computeId: store.effectId, id: undefined }
}

/** The key as shown: the text itself where the part kept it, else `~` and its digest. */
function shownKey(part: string): string {
  return part.startsWith('~') || !part.includes('%') ? part : decodeURIComponent(part)
}

function callKey(definition: Definition, input: unknown): unknown {
  try {
    return definition.key(input)
  } catch (cause) {
    // Messages of this package show no values; those of others may.
    const why = cause instanceof IdempotencyError ? cause.message : 'its function threw'
    throw keyError(definition.name, `cannot be computed: ${why}`, cause)
  }
}

function checkKey(effect: string, key: unknown): string {
  if (typeof key !== 'string') throw keyError(effect, `is ${kindOf(key)}, not a text`)
  if (PLAIN.test(key)) return key
  if (key.trim() === '') throw keyError(effect, 'is blank: every call would be the same intent')
  if (!key.isWellFormed()) throw keyError(effect, 'has a lone surrogate, which UTF-8 has no bytes for')
  const bytes = Buffer.byteLength(key, 'utf8')
  if (bytes > MAX_KEY_BYTES) throw keyError(effect, `has ${bytes} bytes, above ${MAX_KEY_BYTES}`)
  return key
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

function keyError(effect: string, what: string, cause?: unknown): IdempotencyError {
  return new IdempotencyError('ERR_IDEMPOTENCY_KEY', `effect ${effect}: the key ${what}`, { effect, cause })
}

function fingerprint(payload: (input: unknown) => unknown, input: unknown, subject: Subject): string {
  try {
    return fingerprintOf(payload(input))
  } catch (cause) {
    const own = cause instanceof NotCanonicalError || cause instanceof IdempotencyError
    const what = own ? cause.message : 'its function threw'
    const { effect } = subject.place
    const message = `effect ${effect}: the payload has no fingerprint, as ${what}. Pass a fingerprint function that picks plain values`
    throw new IdempotencyError('ERR_IDEMPOTENCY_FINGERPRINT', message, { effect, effectId: effectIdOf(subject), cause })
  }
}

function memoText(memo: (input: unknown) => unknown, input: unknown): string {
  let value: unknown
  try {
    value = memo(input)
  } catch (cause) {
    throw optionError('memo', 'threw', cause)
  }
  if (value === undefined) return ''
  const json = toJsonText(value)
  if ('notPlain' in json)
    throw optionError('memo', `gives ${json.notPlain.what} at ${json.notPlain.path}, which JSON cannot carry`)
  const bytes = Buffer.byteLength(json.text, 'utf8')
  if (bytes > MAX_MEMO_BYTES) throw optionError('memo', `gives ${bytes} bytes of JSON, above ${MAX_MEMO_BYTES}`)
  return json.text
}
