import { sha256 } from './sha256.ts'

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'
const LENGTH = 26
/** Filled and read within one call: a text grown letter by letter costs the collector more than the hash costs. */
const scratch = Buffer.alloc(LENGTH)

/**
 * The name of one intent outside this system: 26 characters `[a-z2-7]` (130 bits), base32 of sha256 over namespace,
 * effect and key part, separated by NUL. The same on every attempt, in every process; fit for a client order id.
 */
export function effectIdOf(namespace: string, effect: string, keyPart: string): string {
  const digest = sha256(`${namespace}\0${effect}\0${keyPart}`, 'binary')
  let held = 0
  let bits = 0
  let next = 0
  for (let at = 0; at < LENGTH; at += 1) {
    if (bits < 5) {
      held = ((held << 8) | digest.charCodeAt(next)) & 0xfff
      next += 1
      bits += 8
    }
    bits -= 5
    scratch[at] = ALPHABET.charCodeAt((held >> bits) & 31)
  }
  return scratch.toString('latin1')
}
