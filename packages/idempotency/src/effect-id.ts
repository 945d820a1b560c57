import { sha256 } from './sha256.ts'

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'
const LENGTH = 26

/**
 * The name of one intent outside this system: 26 characters `[a-z2-7]` (130 bits), base32 of sha256 over namespace,
 * effect and key part, separated by NUL. The same on every attempt, in every process; fit for a client order id.
 */
export function effectIdOf(namespace: string, effect: string, keyPart: string): string {
  const digest = sha256(`${namespace}\0${effect}\0${keyPart}`)
  let id = ''
  let bits = 0
  let held = 0
  for (let index = 0; id.length < LENGTH; index += 1) {
    held = ((held << 8) | digest.charCodeAt(index)) & 0xfff
    bits += 8
    while (bits >= 5 && id.length < LENGTH) {
      bits -= 5
      id += ALPHABET[(held >> bits) & 31]
    }
  }
  return id
}
