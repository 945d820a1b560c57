import type { ReplyReader } from '@safety/redis-core'

import type { Head } from '../store.ts'

/** Reads the three fixed elements. @throws RangeError for a tag that is not among `tags` */
export function readHead<const Tag extends string>(reply: ReplyReader, tags: readonly Tag[]): Head<Tag> {
  const tag = reply.text()
  const nowMs = reply.integer()
  const counter = reply.integer()
  if (!(tags as readonly string[]).includes(tag)) throw new RangeError('a tag this version does not know')
  return { tag: tag as Tag, nowMs, counter }
}
