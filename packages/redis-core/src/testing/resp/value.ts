/** An error reply, as a value: a test server's answer is data, not an exception. */
export interface RespError {
  readonly error: string
}

/** A decoded reply. Maps and sets are flat arrays in wire order; attributes are dropped; text is UTF-8. */
export type RespValue = string | number | bigint | boolean | null | RespError | RespValue[]

interface Cursor {
  bytes: Buffer
  at: number
}

function readLine(cursor: Cursor): string {
  const end = cursor.bytes.indexOf(10, cursor.at)
  const text = cursor.bytes.toString('utf8', cursor.at, end - 1)
  cursor.at = end + 1
  return text
}

function readBulk(cursor: Cursor, header: string): string | null {
  if (header === '?') return readChunks(cursor)
  const length = Number(header)
  if (length < 0) return null
  const text = cursor.bytes.toString('utf8', cursor.at, cursor.at + length)
  cursor.at += length + 2
  return text
}

function readChunks(cursor: Cursor): string {
  let text = ''
  for (;;) {
    const length = readLine(cursor).slice(1)
    if (length === '0') return text
    text += readBulk(cursor, length) ?? ''
  }
}

function readElements(cursor: Cursor, header: string, perElement: number): RespValue[] | null {
  if (header === '-1') return null
  const elements: RespValue[] = []
  const count = header === '?' ? Infinity : Number(header) * perElement
  while (elements.length < count) {
    if (count === Infinity && cursor.bytes[cursor.at] === 46) {
      readLine(cursor)
      break
    }
    elements.push(readValue(cursor))
  }
  return elements
}

function readInteger(text: string): number | bigint {
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : BigInt(text)
}

function readDouble(text: string): number {
  if (text === 'inf') return Infinity
  return text === '-inf' ? -Infinity : Number(text)
}

function readValue(cursor: Cursor): RespValue {
  const line = readLine(cursor)
  const rest = line.slice(1)
  switch (line.charAt(0)) {
    case '+':
      return rest
    case '-':
      return { error: rest }
    case ':':
      return readInteger(rest)
    case ',':
      return readDouble(rest)
    case '#':
      return rest === 't'
    case '(':
      return BigInt(rest)
    case '_':
      return null
    case '$':
      return readBulk(cursor, rest)
    case '=':
      return readBulk(cursor, rest)?.slice(4) ?? null
    case '!':
      return { error: readBulk(cursor, rest) ?? '' }
    case '%':
      return readElements(cursor, rest, 2)
    case '|':
      readElements(cursor, rest, 2)
      return readValue(cursor)
    default:
      return readElements(cursor, rest, 1)
  }
}

/** Decodes one whole message as the framer returned it. */
export function decodeReply(message: Buffer): RespValue {
  return readValue({ bytes: message, at: 0 })
}

export function isRespError(value: RespValue): value is RespError {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A simple value as text; empty for anything else. */
export function textOf(value: RespValue | undefined): string {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint' ? String(value) : ''
}

/** Encodes a request as RESP. */
export function encodeRequest(args: readonly (string | number)[]): string {
  const bulks = args.map(arg => `$${Buffer.byteLength(String(arg))}\r\n${arg}\r\n`)
  return `*${args.length}\r\n${bulks.join('')}`
}
