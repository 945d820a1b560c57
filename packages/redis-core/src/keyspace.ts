import { createHash } from 'node:crypto'

import { RedisCoreError } from './errors.ts'

const PREFIX = /^[A-Za-z0-9_.-]+(?::[A-Za-z0-9_.-]+)*$/
const MAX_PREFIX_BYTES = 64
const PLAIN = /^[A-Za-z0-9_.-]{1,128}$/
const MAX_PART_BYTES = 128

/** Builds keys under one prefix. Callers pass raw texts; each is encoded exactly once. */
export interface Keyspace {
  readonly prefix: string
  /** `prefix:a:b`. At least one part. */
  readonly key: (...parts: string[]) => string
  /** `prefix:{tag}:a`: all keys of one tag lie in one Cluster slot. */
  readonly tagged: (tag: string, ...parts: string[]) => string
  /**
   * One text as one key part, injectively: `[A-Za-z0-9_.-]` stays, every other UTF-8 byte is percent-encoded, and a
   * result above 128 bytes becomes `~` + base64url(sha256(text)).
   */
  readonly part: (text: string) => string
}

/**
 * A keyspace under `prefix`: segments of `[A-Za-z0-9_.-]+` joined by `:`, at most 64 bytes.
 *
 * @throws `ERR_REDIS_KEY` (not retryable) here for a bad prefix, and from every method for an empty text or a lone surrogate.
 * @example keyspace('shop').tagged('order-7', 'lock') // shop:{order-7}:lock
 */
export function keyspace(prefix: string): Keyspace {
  if (typeof prefix !== 'string' || prefix.length > MAX_PREFIX_BYTES || !PREFIX.test(prefix)) {
    throw new RedisCoreError('ERR_REDIS_KEY', 'prefix must be [A-Za-z0-9_.-]+ segments joined by ":", at most 64 bytes')
  }
  return {
    prefix,
    key(...parts) {
      if (parts.length === 0) throw new RedisCoreError('ERR_REDIS_KEY', 'a key needs at least one part')
      return append(prefix, parts)
    },
    tagged: (tag, ...parts) => append(`${prefix}:{${part(tag)}}`, parts),
    part,
  }
}

function append(head: string, parts: readonly string[]): string {
  let key = head
  for (const text of parts) key += `:${part(text)}`
  return key
}

function part(text: string): string {
  if (typeof text !== 'string' || text === '' || !text.isWellFormed()) {
    throw new RedisCoreError('ERR_REDIS_KEY', 'a key part must be a non-empty text without lone surrogates')
  }
  if (PLAIN.test(text)) return text
  const encoded = text.length > MAX_PART_BYTES ? undefined : encode(text)
  if (encoded !== undefined && encoded.length <= MAX_PART_BYTES) return encoded
  return `~${createHash('sha256').update(text, 'utf8').digest('base64url')}`
}

function encode(text: string): string {
  // encodeURIComponent leaves six more characters alone than the key alphabet does.
  return encodeURIComponent(text).replace(/[!~*'()]/g, char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}
