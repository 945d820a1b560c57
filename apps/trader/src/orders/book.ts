import type { RedisClient } from '@safety/redis-core'
import { fromUnits } from '../ledger/units.ts'
import { bookKeys } from '../redis/keys.ts'
import { beliefOf, intentStates, type Belief, type IntentState } from './state.ts'

/** What one side believes, in the form the exchange's audit takes. */
export interface BookRecords {
  readonly records: Readonly<Record<string, { readonly believes: Belief; readonly reason: string }>>
  /** Net change per asset, a decimal string. */
  readonly ledger: Readonly<Record<string, string>>
  readonly inDoubt: { readonly seen: number; readonly resolved: number; readonly open: number }
}

function stateIn(text: string | undefined): IntentState | undefined {
  return intentStates.find(state => state === text)
}

/** Reads what a book believes of each of its intents, its ledger, and how many intents were in doubt. */
export async function readBook(redis: RedisClient, book: string): Promise<BookRecords> {
  const keys = bookKeys(book)
  const records: Record<string, { believes: Belief; reason: string }> = {}
  let open = 0
  for (const id of await redis.zrange(keys.index, '0', '-1')) {
    const [text, why] = await redis.hmget(keys.intent(id), 'state', 'reason')
    const state = stateIn(text ?? undefined)
    if (state === undefined) continue
    const believes = beliefOf(state)
    if (believes === 'unknown') open += 1
    // A proven absence is not yet a refusal: the intent may still be sent again.
    records[id] = { believes, reason: why === null || why === undefined || why === '' ? state : `${state} ${why}` }
  }
  const counts = await redis.hgetall(keys.counts)
  const ledger = Object.entries(await redis.hgetall(keys.ledger)).map(([asset, units]) => [asset, fromUnits(units)])
  return {
    records,
    ledger: Object.fromEntries(ledger) as Record<string, string>,
    inDoubt: { seen: Number(counts['doubtsSeen'] ?? 0), resolved: Number(counts['doubtsResolved'] ?? 0), open },
  }
}
