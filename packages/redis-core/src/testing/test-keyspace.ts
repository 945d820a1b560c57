import { randomBytes } from 'node:crypto'
import { keyspace, type Keyspace } from '../keyspace.ts'

/**
 * A keyspace nobody else uses: a fresh prefix at each call, so tests can share a server and never meet.
 *
 * @param name a readable first segment, `[A-Za-z0-9_.-]+`, at most 40 bytes. @default 'test'
 * @throws `ERR_REDIS_KEY` when the name is no valid segment
 */
export function testKeyspace(name = 'test'): Keyspace {
  return keyspace(`${name}:${randomBytes(8).toString('hex')}`)
}
