import { randomBytes } from 'node:crypto'

/** The only source of chance in this family. */
export interface Random {
  /** Uniform in [0, 1). For jitter, never for secrets. */
  float(): number
  /** `length` bytes; from the system's generator in `systemRandom`. */
  bytes(length: number): Uint8Array
}

export const systemRandom: Random = {
  float: () => Math.random(),
  bytes: length => randomBytes(length),
}

const TOKEN_BYTES = 12

/** A fresh identity of one attempt: 96 bits as 16 base64url characters. */
export function createToken(random: Random = systemRandom): string {
  return Buffer.from(random.bytes(TOKEN_BYTES)).toString('base64url')
}
