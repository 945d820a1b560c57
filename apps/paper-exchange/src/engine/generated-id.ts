import { createHash } from 'node:crypto'

/** 22 letters and digits for an order or a cancel sent without an id; equal seed and number give equal ids. */
export function generatedId(seed: string, what: string): string {
  const digest = createHash('sha256').update(`id|${seed}|${what}`).digest('base64')
  return digest.replaceAll(/[^A-Za-z0-9]/g, '').slice(0, 22)
}
