import { describe, expect, test } from 'vitest'

import { createToken, systemRandom } from './random.ts'

describe('tokens', () => {
  test('are 16 base64url characters of the 12 bytes they are made from', () => {
    const random = { float: () => 0, bytes: (length: number) => new Uint8Array(length).fill(255) }
    expect(createToken(random)).toBe('_'.repeat(16))
    expect(createToken()).toMatch(/^[A-Za-z0-9_-]{16}$/)
  })

  test('do not repeat', () => {
    expect(new Set(Array.from({ length: 10_000 }, () => createToken())).size).toBe(10_000)
  })
})

describe('the system random source', () => {
  test('draws floats from [0, 1) and as many bytes as asked', () => {
    for (let index = 0; index < 1000; index++) {
      const float = systemRandom.float()
      expect(float >= 0 && float < 1).toBe(true)
    }
    expect(systemRandom.bytes(33)).toHaveLength(33)
  })
})
