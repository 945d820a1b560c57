import type { RedisClient } from '@safety/redis-core'
import { bookKeys } from '../redis/keys.ts'

/** The whole journal of a book, one record per intent in the order they came, for people to read afterwards. */
export async function readJournal(redis: RedisClient, book: string): Promise<Record<string, string>[]> {
  const keys = bookKeys(book)
  const records: Record<string, string>[] = []
  for (const id of await redis.zrange(keys.index, '0', '-1')) {
    records.push({ id, ...(await redis.hgetall(keys.intent(id))) })
  }
  return records
}
