/** Cuts a RESP2 or RESP3 byte stream into whole top-level messages, however the network split it. */
export interface Framer {
  /** Takes the next bytes and returns the messages they complete, in order, each as exactly its own bytes. */
  push(chunk: Buffer): Buffer[]
  /** Takes out the bytes of a message that has begun and not ended. */
  rest(): Buffer
}

/** Thrown for bytes no RESP peer sends; the stream cannot be framed from there on. */
export class FramingError extends Error {
  override readonly name = 'FramingError'
  /** Whole messages of the same bytes, before the fault. */
  readonly messages: readonly Buffer[]

  constructor(message: string, messages: readonly Buffer[] = []) {
    super(message)
    this.messages = messages
  }
}

const CR = 13
const LF = 10
// A header is a type byte and a number, or one line of text; Redis itself gives up on inline requests at 64 KiB.
const MAX_LINE_BYTES = 1024 * 1024

interface Aggregate {
  /** Elements still to come; Infinity for a streamed aggregate, which ends with `.`. */
  left: number
  /** An attribute describes the value after it and is no value of its own. */
  attribute: boolean
}

type Step =
  | { kind: 'value' }
  | { kind: 'skip'; bytes: number; more: boolean }
  | { kind: 'open'; aggregate: Aggregate }
  | { kind: 'end' }
  | { kind: 'go on' }

const VALUE: Step = { kind: 'value' }

function readLength(header: string): number {
  const text = header.slice(1)
  if (text === '?') return Infinity
  if (!/^-?\d{1,15}$/.test(text)) throw new FramingError(`length ${JSON.stringify(text.slice(0, 40))} is not a number`)
  return Number(text)
}

function openAggregate(header: string, perElement: number, attribute: boolean): Step {
  const length = readLength(header)
  if (length < 0) return VALUE
  return { kind: 'open', aggregate: { left: length * perElement, attribute } }
}

function openBulk(header: string): Step {
  const length = readLength(header)
  if (length === Infinity) return { kind: 'go on' } // `$?`: chunks follow, the empty one ends the value
  return length < 0 ? VALUE : { kind: 'skip', bytes: length + 2, more: false }
}

function openChunk(header: string): Step {
  const length = readLength(header)
  return length === 0 ? VALUE : { kind: 'skip', bytes: length + 2, more: true }
}

/** What a header line announces. */
function readHeader(header: string): Step {
  switch (header.charAt(0)) {
    case '+':
    case '-':
    case ':':
    case ',':
    case '#':
    case '(':
    case '_':
      return VALUE
    case '$':
    case '=':
    case '!':
      return openBulk(header)
    case ';':
      return openChunk(header)
    case '*':
    case '~':
    case '>':
      return openAggregate(header, 1, false)
    case '%':
      return openAggregate(header, 2, false)
    case '|':
      return openAggregate(header, 2, true)
    case '.':
      return { kind: 'end' }
    default:
      throw new FramingError(`${JSON.stringify(header.slice(0, 40))} begins no RESP value`)
  }
}

/** How deep inside nested aggregates the stream is. */
function createNesting() {
  const open: Aggregate[] = []
  /** One value has ended; true when that ends the top-level message. */
  const complete = (): boolean => {
    for (;;) {
      const top = open.at(-1)
      if (top === undefined) return true
      top.left--
      if (top.left > 0) return false
      open.pop()
      if (top.attribute) return false
    }
  }
  return {
    complete,
    enter(aggregate: Aggregate): boolean {
      if (aggregate.left > 0) {
        open.push(aggregate)
        return false
      }
      return aggregate.attribute ? false : complete()
    },
    endStreamed(): boolean {
      const top = open.pop()
      if (top === undefined || top.left !== Infinity)
        throw new FramingError('an end marker outside a streamed aggregate')
      return top.attribute ? false : complete()
    },
    isTop: (): boolean => open.length === 0,
  }
}

/** Where one reading step led: the next position, and whether a top-level message ends there. */
interface Reading {
  at: number
  ended: boolean
}

/** Follows the stream header by header and bulk by bulk, and holds no payload. */
function createScanner(inline: boolean): (chunk: Buffer, at: number) => Reading {
  const nesting = createNesting()
  let line = '' // the part of a header line that came in earlier chunks
  let skip = 0 // bytes of a bulk still to pass over
  let skipMore = false // the bulk is one chunk of a streamed string

  const applyHeader = (header: string): boolean => {
    if (inline && nesting.isTop() && header.charAt(0) !== '*') return true
    const step = readHeader(header)
    if (step.kind === 'value') return nesting.complete()
    if (step.kind === 'open') return nesting.enter(step.aggregate)
    if (step.kind === 'end') return nesting.endStreamed()
    if (step.kind === 'skip') {
      skip = step.bytes
      skipMore = step.more
    }
    return false
  }

  return (chunk, at) => {
    if (skip > 0) {
      const taken = Math.min(skip, chunk.length - at)
      skip -= taken
      return { at: at + taken, ended: skip === 0 && !skipMore && nesting.complete() }
    }
    const lineEnd = chunk.indexOf(LF, at)
    const until = lineEnd < 0 ? chunk.length : lineEnd
    if (line.length + until - at > MAX_LINE_BYTES)
      throw new FramingError(`a header line is longer than ${MAX_LINE_BYTES} bytes`)
    const text = line + chunk.toString('latin1', at, until)
    if (lineEnd < 0) {
      line = text
      return { at: until, ended: false }
    }
    line = ''
    const header = text.charCodeAt(text.length - 1) === CR ? text.slice(0, -1) : text
    return { at: lineEnd + 1, ended: applyHeader(header) }
  }
}

/**
 * A framer for one direction of one connection.
 *
 * @param options.inline also accept inline requests (a line that is no RESP value), as a server does. @default false
 * @throws FramingError from `push` when the bytes are no RESP; `rest` then holds what was not returned
 */
export function createFramer(options: { inline?: boolean } = {}): Framer {
  const scan = createScanner(options.inline === true)
  let held: Buffer[] = []
  let heldBytes = 0

  const take = (tail: Buffer): Buffer => {
    if (heldBytes === 0) return tail
    const message = Buffer.concat([...held, tail], heldBytes + tail.length)
    held = []
    heldBytes = 0
    return message
  }
  const hold = (bytes: Buffer): void => {
    if (bytes.length === 0) return
    held.push(bytes)
    heldBytes += bytes.length
  }

  return {
    push(chunk) {
      const messages: Buffer[] = []
      let start = 0
      for (let at = 0; at < chunk.length;) {
        let reading
        try {
          reading = scan(chunk, at)
        } catch (error) {
          hold(chunk.subarray(start))
          throw new FramingError((error as Error).message, messages)
        }
        at = reading.at
        if (!reading.ended) continue
        messages.push(take(chunk.subarray(start, at)))
        start = at
      }
      hold(chunk.subarray(start))
      return messages
    },
    rest: () => take(Buffer.alloc(0)),
  }
}
