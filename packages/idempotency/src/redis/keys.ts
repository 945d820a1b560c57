import { keyspace } from '@safety/redis-core'

import { sha256 } from '../sha256.ts'
import type { Place } from '../store.ts'

export interface PlaceKeys {
  readonly record: string
  readonly bucket: string
  /** Name of the record in the bucket. */
  readonly member: string
}

export interface KeyLayout {
  readonly namespace: string
  /** @throws `ERR_REDIS_KEY` for an empty text or a lone surrogate */
  place(effect: string, key: string): Place
  keysOf(place: Place): PlaceKeys
  bucket(tag: string): string
  /** The place of a bucket's member. @returns undefined for `#`, `!` and anything else that names no record */
  memberPlace(tag: string, member: string): Place | undefined
  /** The place of a record found by SCAN. @returns undefined for a bucket or a foreign key */
  recordPlace(redisKey: string): Place | undefined
  /** Glob that matches every record of an effect, or of all. */
  recordGlob(effect: string | undefined): string
}

/** All slot tags, `00` to `7f`. */
export const ALL_TAGS: readonly string[] = Array.from({ length: 128 }, (_, index) =>
  index.toString(16).padStart(2, '0'),
)

const MEMBER = /^([a-z][a-z0-9_.-]{0,47}):([A-Za-z0-9_.%~-]{1,128})$/
const BUCKET_NAME = 'open'

/** Keys under one namespace: records `<ns>:{hh}:<effect>:<part>`, buckets `<ns>:{hh}:open`. */
export function createKeyLayout(namespace: string): KeyLayout {
  const keys = keyspace(namespace)
  const buckets = new Map(ALL_TAGS.map(tag => [tag, keys.tagged(tag, BUCKET_NAME)]))
  const bucketOf = (tag: string): string => buckets.get(tag) ?? keys.tagged(tag, BUCKET_NAME)
  const memberOf = (place: Place): string => `${place.effect}:${place.part}`
  const memberPlace = (tag: string, member: string): Place | undefined => {
    const match = MEMBER.exec(member)
    return match ? { tag, effect: match[1] as string, part: match[2] as string } : undefined
  }
  return {
    namespace,
    place: (effect, key) => ({ effect, part: keys.part(key), tag: tagOf(effect, key) }),
    keysOf(place) {
      const member = memberOf(place)
      return { record: `${namespace}:{${place.tag}}:${member}`, bucket: bucketOf(place.tag), member }
    },
    bucket: bucketOf,
    memberPlace,
    recordPlace(redisKey) {
      const head = `${namespace}:{`
      if (!redisKey.startsWith(head) || redisKey.slice(head.length + 2, head.length + 4) !== '}:') return undefined
      return memberPlace(redisKey.slice(head.length, head.length + 2), redisKey.slice(head.length + 4))
    },
    recordGlob: effect => `${namespace}:{??}:${effect ?? '*'}:*`,
  }
}

function tagOf(effect: string, key: string): string {
  return ALL_TAGS[Number.parseInt(sha256(`${effect}\0${key}`, 'hex').slice(0, 2), 16) & 127] as string
}
