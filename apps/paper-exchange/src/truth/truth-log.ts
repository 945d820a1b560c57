import type { TruthEntry, TruthFact, TruthLog, TruthPage, TruthQuery } from './entry.ts'

const MAX_PAGE = 10_000

/**
 * The log in memory, written through to `sink` line by line (JSON, without the line break) as it grows.
 *
 * @param options.nowMs server time
 */
export function createTruthLog(options: {
  nowMs: () => number
  sink?: ((line: string) => void) | undefined
}): TruthLog {
  const entries: TruthEntry[] = []
  const { sink } = options

  const append = (fact: TruthFact): TruthEntry => {
    const { type, account, ...body } = fact
    const head = { seq: entries.length + 1, atMs: options.nowMs(), type, account }
    const entry = Object.freeze({ ...head, ...body }) as TruthEntry
    entries.push(entry)
    sink?.(JSON.stringify(entry))
    return entry
  }

  const query = ({ account, type, after = 0, limit = 1000 }: TruthQuery = {}): TruthPage => {
    const page: TruthEntry[] = []
    const most = Math.min(MAX_PAGE, Math.max(1, limit))
    for (let index = Math.max(0, after); index < entries.length; index++) {
      const entry = entries[index] as TruthEntry
      if (account !== undefined && entry.account !== account) continue
      if (type !== undefined && entry.type !== type) continue
      if (page.length === most) return { entries: page, next: page.at(-1)?.seq ?? null }
      page.push(entry)
    }
    return { entries: page, next: null }
  }

  return {
    append,
    query,
    all: () => entries,
    get lastSeq() {
      return entries.length
    },
  }
}
