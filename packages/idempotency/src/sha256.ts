import { hash } from 'node:crypto'

/**
 * The digest as a text of 32 characters, one per byte: in one shot and without a buffer, several times faster for short
 * texts than a hash object.
 */
export function sha256(text: string): string {
  return hash('sha256', text, 'binary')
}

/** The first 128 bits, as 22 base64url characters. */
export function shortDigest(text: string): string {
  return Buffer.from(sha256(text).slice(0, 16), 'latin1').toString('base64url')
}
