/** What befalls one attempt. `freeze-*` stops the process for one to three leases, then it goes on as if nothing happened. */
export type Fault =
  | { readonly kind: 'none' | 'die-before' | 'die-after' | 'unclear-after' | 'clean-before' }
  | { readonly kind: 'freeze-before' | 'freeze-after'; readonly leases: number }

const KINDS = ['die-before', 'die-after', 'freeze-before', 'freeze-after', 'unclear-after', 'clean-before'] as const
const SHARE = 0.35
const FAULTY_ATTEMPTS = 3

/** A seeded source of numbers in [0, 1): mulberry32. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The faults of the first three runs of one key: the same for every row of the table. */
export function planOf(seed: number, key: number): readonly Fault[] {
  const random = createRandom(seed * 1_000_003 + key)
  return Array.from({ length: FAULTY_ATTEMPTS }, () => draw(random))
}

function draw(random: () => number): Fault {
  const [happens, which, leases] = [random() < SHARE, random(), 1 + 2 * random()]
  if (!happens) return { kind: 'none' }
  const kind = KINDS[Math.floor(which * KINDS.length)] ?? 'clean-before'
  return kind === 'freeze-before' || kind === 'freeze-after' ? { kind, leases } : { kind }
}
