import { checks } from '../catalogue.gen.ts'
import { harmlessId } from '../harmless.ts'

const ids: readonly string[] = checks.map(check => check.id)

export function isKnownCheck(id: string): boolean {
  return ids.includes(id)
}

/** What to say of an id that is none, which is most often one with a slip of the finger. */
export function noSuchCheck(id: string): string {
  const near = ids.filter(known => distance(known, id) <= 2 || (id.length > 2 && known.includes(id)))
  const named = harmlessId(id)
  return `no check is called ${named === undefined ? 'that' : `"${named}"`}. ${near.length > 0 ? `Did you mean ${near.join(' or ')}?` : `Known: ${ids.join(', ')}`}`
}

/** Edits that turn one word into the other (Levenshtein 1966). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
