import { RedisCoreError } from './errors.ts'

/** Reads a script's flat reply from its first element to its last, the same on RESP2 and RESP3 and with `stringNumbers`. */
export interface ReplyReader {
  /** The next element, a text. */
  text(): string
  /** The next element, an integer within ±(2^53 - 1), sent as an integer or as decimal text; within 48 of ±2^53 only as text. */
  integer(): number
  /** All elements left, texts; possibly none. */
  texts(): string[]
  /** Nothing may be left. */
  end(): void
}

const INTEGER = /^-?(?:0|[1-9]\d*)$/
/**
 * ioredis 6.0.0 reads an odd integer reply this close to 2^53 as its neighbour divisible by 4 (redis/ioredis#2164). Such a
 * number may be wrong, so it counts only as text, which always arrives as it was sent.
 */
const MISREAD_FROM = 2 ** 53 - 48

/**
 * Decodes raw replies by `read`; anything that does not fit is `ERR_REDIS_REPLY`: the script ran, its answer is not
 * understood. One reader serves all calls of a script, because `read` is synchronous and every call of it costs.
 */
export function createReplyDecoder<R>(script: string, read: (reply: ReplyReader) => R): (raw: unknown) => R {
  let elements: readonly unknown[] = []
  let next = 0

  function take(wanted: string): unknown {
    if (next >= elements.length) throw misfit(script, `has ${elements.length} elements and no ${wanted} after them`)
    return elements[next++]
  }
  function text(): string {
    const value = take('text')
    if (typeof value !== 'string') throw misfit(script, `has ${typeOf(value)} where a text belongs (element ${next})`)
    return value
  }
  function integer(): number {
    const value = take('integer')
    if (typeof value === 'string' && INTEGER.test(value) && Number.isSafeInteger(Number(value))) return Number(value)
    if (typeof value === 'number' && Number.isSafeInteger(value) && !mayBeMisread(value)) return value
    throw misfit(
      script,
      `has ${typeOf(value)} where an integer belongs (element ${next}; within 48 of 2^53 only as text)`,
    )
  }
  function texts(): string[] {
    const rest: string[] = []
    while (next < elements.length) rest.push(text())
    return rest
  }
  function end(): void {
    if (next < elements.length) {
      throw misfit(script, `has ${elements.length} elements, of which ${elements.length - next} were not read`)
    }
  }
  const reader: ReplyReader = { text, integer, texts, end }

  return raw => {
    if (!Array.isArray(raw)) throw misfit(script, `is ${typeOf(raw)}, not an array`)
    elements = raw
    next = 0
    try {
      const value = read(reader)
      end()
      return value
    } catch (error) {
      if (error instanceof RedisCoreError && error.code === 'ERR_REDIS_REPLY') throw error
      throw misfit(script, 'could not be decoded', error)
    } finally {
      elements = []
    }
  }
}

function mayBeMisread(number: number): boolean {
  return (number >= MISREAD_FROM || number <= -MISREAD_FROM) && number % 4 === 0
}

function typeOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  return value instanceof Error ? 'an error' : `a ${typeof value}`
}

function misfit(script: string, what: string, cause?: unknown): RedisCoreError {
  const message = `reply of redis script "${script}" ${what}. The script ran; its text and its reply decoder disagree`
  return new RedisCoreError('ERR_REDIS_REPLY', message, { script, cause })
}
