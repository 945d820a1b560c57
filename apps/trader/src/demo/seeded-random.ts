import { createHash } from 'node:crypto'
import type { Random } from '@safety/redis-core'

/**
 * A random source that gives the same numbers for the same seed and label, on every machine.
 *
 * It is SHA-256 in counter mode: fit for planning a storm, not for keys.
 */
export function createSeededRandom(seed: number, label: string): Random {
  let counter = 0
  let left: Uint8Array = new Uint8Array(0)
  function bytes(length: number): Uint8Array {
    const result = new Uint8Array(length)
    for (let filled = 0; filled < length;) {
      if (left.length === 0) {
        left = createHash('sha256').update(`${seed}|${label}|${counter}`).digest()
        counter += 1
      }
      const taken = Math.min(left.length, length - filled)
      result.set(left.subarray(0, taken), filled)
      left = left.subarray(taken)
      filled += taken
    }
    return result
  }
  return {
    bytes,
    float(): number {
      const drawn = bytes(6)
      return new DataView(drawn.buffer).getUint32(0) / 2 ** 32
    },
  }
}

/** A whole number from `from` to `to`, both included. */
export function wholeBetween(random: Random, from: number, to: number): number {
  return from + Math.floor(random.float() * (to - from + 1))
}
