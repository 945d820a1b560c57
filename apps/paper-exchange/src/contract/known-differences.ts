import { readFileSync } from 'node:fs'
import { z } from 'zod'
import type { Difference } from './run-contract.ts'

const FILE = z.array(
  z.strictObject({
    venue: z.enum(['paper', 'testnet']),
    case: z.string(),
    /** Where, as the suite prints it; the end may be left open with `*`. */
    path: z.string(),
    why: z.string().min(10),
  }),
)

/** A difference somebody has looked at and explained. */
export interface KnownDifference {
  venue: 'paper' | 'testnet'
  case: string
  path: string
  why: string
}

/** Reads the explained differences. */
export function readKnownDifferences(path: URL | string): readonly KnownDifference[] {
  return FILE.parse(JSON.parse(readFileSync(path, 'utf8')))
}

/** The explanation of a difference, if there is one. */
export function explain(known: readonly KnownDifference[], difference: Difference): KnownDifference | undefined {
  return known.find(
    entry =>
      entry.venue === difference.venue &&
      entry.case === difference.case &&
      (entry.path.endsWith('*') ? difference.path.startsWith(entry.path.slice(0, -1)) : difference.path === entry.path),
  )
}
