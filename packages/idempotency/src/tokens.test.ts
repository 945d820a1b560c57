import { systemRandom } from '@safety/redis-core'
import { expect, test } from 'vitest'

import { createTokens } from './tokens.ts'

test('tokens are 16 base64url characters, and none of 10000 comes twice', () => {
  const next = createTokens(systemRandom)
  const tokens = Array.from({ length: 10_000 }, next)
  for (const token of tokens) expect(token).toMatch(/^[A-Za-z0-9_-]{16}$/)
  expect(new Set(tokens).size).toBe(tokens.length)
})

test('tokens are made of the bytes of the given source, in order', () => {
  let byte = 0
  const bytes = (length: number) => Uint8Array.from({ length }, () => (byte += 1) % 256)
  const next = createTokens({ float: () => 0.5, bytes })
  expect(next()).toBe(Buffer.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]).toString('base64url'))
  expect(next()).toBe(Buffer.from([13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24]).toString('base64url'))
})
