const SLOTS = 16_384
const POLYNOMIAL = 0x1021

/** The Cluster slot of a key: CRC16 (XMODEM) of its hash tag, if it has one, modulo 16384. */
export function slotOf(key: string): number {
  const open = key.indexOf('{')
  const close = open === -1 ? -1 : key.indexOf('}', open + 1)
  return crc16(Buffer.from(close > open + 1 ? key.slice(open + 1, close) : key)) % SLOTS
}

/** The first of `0`, `1`, ... whose keys, tagged by it, lie in one of the slot ranges. */
export function tagWithin(ranges: readonly (readonly [number, number])[]): string | undefined {
  if (ranges.length === 0) return undefined
  // Every slot is the slot of some number far below this.
  for (let candidate = 0; candidate < 1_000_000; candidate++) {
    const slot = slotOf(`{${candidate}}`)
    if (ranges.some(([from, to]) => from <= slot && slot <= to)) return String(candidate)
  }
  return undefined
}

function crc16(bytes: Uint8Array): number {
  let crc = 0
  for (const byte of bytes) {
    crc ^= byte << 8
    for (let bit = 0; bit < 8; bit++)
      crc = (crc & 0x8000) === 0 ? (crc << 1) & 0xffff : ((crc << 1) ^ POLYNOMIAL) & 0xffff
  }
  return crc
}
