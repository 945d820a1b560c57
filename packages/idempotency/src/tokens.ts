import type { Random } from '@safety/redis-core'

const TOKEN_BYTES = 12
const TOKEN_LENGTH = 16
/** Asking the system for random bytes costs more than a call's whole bookkeeping, so they are fetched in bulk. */
const TOKENS_AT_A_TIME = 64

/** Names of attempts: 96 random bits each, 16 base64url characters. */
export function createTokens(random: Random): () => string {
  let fetched = ''
  let next = 0
  return () => {
    if (next >= fetched.length) {
      fetched = Buffer.from(random.bytes(TOKEN_BYTES * TOKENS_AT_A_TIME)).toString('base64url')
      next = 0
    }
    next += TOKEN_LENGTH
    return fetched.slice(next - TOKEN_LENGTH, next)
  }
}
