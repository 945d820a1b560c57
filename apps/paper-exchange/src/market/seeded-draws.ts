import { createHash } from 'node:crypto'

/** A stream of draws that is the same for the same seed on every machine and every version of Node. */
export interface SeededDraws {
  /** 0 (included) to 1 (excluded), 32 bits. */
  uniform(): number
  /**
   * Mean 0, deviation 1, within -6 to 6: the sum of twelve uniforms. Sums and products are exact in IEEE 754, while `Math.log` and
   * `Math.cos` may differ between engines.
   */
  normal(): number
}

/** Draws by the sfc32 generator (Chris Doty-Humphrey, PractRand), its state taken from sha256 of the seed. */
export function createSeededDraws(seed: string): SeededDraws {
  const digest = createHash('sha256').update(seed).digest()
  let a = digest.readInt32LE(0)
  let b = digest.readInt32LE(4)
  let c = digest.readInt32LE(8)
  let counter = 1

  const uniform = (): number => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    c |= 0
    return (sum >>> 0) / 4_294_967_296
  }
  const normal = (): number => {
    let total = -6
    for (let draw = 0; draw < 12; draw++) total += uniform()
    return total
  }
  for (let warmUp = 0; warmUp < 15; warmUp++) uniform()
  return { uniform, normal }
}
