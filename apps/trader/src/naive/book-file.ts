import { appendFileSync, readFileSync } from 'node:fs'
import { Big } from 'big.js'
import { z } from 'zod'

/** What the naive side writes down about an order: once, after its answer. */
export type BookEntry =
  | {
      readonly id: string
      readonly status: 'ordered'
      readonly orderId: string
      /** Net change of each asset by the fills of the answer, decimal text. */
      readonly changes: Readonly<Record<string, string>>
    }
  | { readonly id: string; readonly status: 'failed'; readonly reason: string }

const ENTRY: z.ZodType<BookEntry> = z.discriminatedUnion('status', [
  z.object({
    id: z.string(),
    status: z.literal('ordered'),
    orderId: z.string(),
    changes: z.record(z.string(), z.string()),
  }),
  z.object({ id: z.string(), status: z.literal('failed'), reason: z.string() }),
])

/** A file of JSON lines, written through at once. It is all the naive side keeps over a restart. */
export interface BookFile {
  append(entry: BookEntry): void
}

export function openBookFile(file: string): BookFile {
  return { append: entry => appendFileSync(file, `${JSON.stringify(entry)}\n`) }
}

/** Reads a book; a file that was never written is an empty one, and a line cut by a kill is left out. */
export function readBookFile(file: string): BookEntry[] {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
  const complete = text.slice(0, text.lastIndexOf('\n') + 1)
  return complete
    .split('\n')
    .filter(line => line !== '')
    .map(line => ENTRY.parse(JSON.parse(line)))
}

/** The sum of what the entries booked, per asset. */
export function sumOfChanges(entries: readonly BookEntry[]): Record<string, string> {
  const sums = new Map<string, Big>()
  for (const entry of entries) {
    if (entry.status !== 'ordered') continue
    for (const [asset, change] of Object.entries(entry.changes)) {
      sums.set(asset, (sums.get(asset) ?? new Big(0)).plus(change))
    }
  }
  return Object.fromEntries([...sums].map(([asset, sum]) => [asset, sum.toFixed(8)]))
}
