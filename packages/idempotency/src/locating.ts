import type { Engine, Subject } from './engine.ts'
import { optionError } from './errors.ts'
import { createSubject, subjectOf } from './intent.ts'
import { ask } from './reading.ts'

const EFFECT = /^[a-z][a-z0-9_.-]{0,47}$/
const SHOWN_DIGEST = /^~[A-Za-z0-9_-]{43}$/

/**
 * The subject a person or a machine names. A key above 128 escaped bytes is only ever shown as `~` and its digest; that
 * name finds it too, by looking at every slot tag.
 *
 * @throws OPTIONS (`effect`), KEY, STORE; the abort reason
 */
export async function locate(
  engine: Engine,
  effect: string,
  key: string,
  signal: AbortSignal | undefined,
): Promise<Subject> {
  if (typeof effect !== 'string' || !EFFECT.test(effect))
    throw optionError('effect', 'must match [a-z][a-z0-9_.-]{0,47}')
  const subject = createSubject(engine.store, effect, key)
  if (!SHOWN_DIGEST.test(key)) return subject
  const shown = engine.store.tags.map(tag => ({ effect, part: key, tag }))
  for (const place of [subject.place, ...shown]) {
    const text = await ask(engine, signal, send => engine.store.read(place, send))
    if (text !== undefined) return subjectOf(engine.store, place)
  }
  return subject
}
