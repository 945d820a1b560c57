import { Command } from 'ioredis'

/** One request as the proxy understands it. */
export interface Request {
  /** Lower case. */
  readonly command: string
  /** Name and arguments, as sent. */
  readonly args: readonly Buffer[]
  /** The script's name, when the request runs one and its name is known. */
  readonly script: string | undefined
  /** Read when asked for: few rules care. */
  keys(): readonly string[]
}

const STAR = 42
const LF = 10

function readInline(message: Buffer): Buffer[] {
  return message
    .toString('latin1')
    .split(/\s+/)
    .filter(Boolean)
    .map(word => Buffer.from(word, 'latin1'))
}

/** The words of one framed request, RESP or inline; none for the empty line that clients may send. */
export function readWords(message: Buffer): Buffer[] {
  if (message[0] !== STAR) return readInline(message)
  const words: Buffer[] = []
  let at = message.indexOf(LF) + 1
  while (at < message.length) {
    const headerEnd = message.indexOf(LF, at)
    const start = headerEnd + 1
    const end = start + Number(message.toString('latin1', at + 1, headerEnd - 1))
    words.push(message.subarray(start, end))
    at = end + 2
  }
  return words
}

function readKeys(args: readonly Buffer[]): string[] {
  const [name, ...rest] = args as [Buffer, ...Buffer[]]
  return new Command(name.toString().toLowerCase(), rest).getKeys().map(String)
}

export function createRequest(
  args: readonly Buffer[],
  nameScript: (args: readonly Buffer[]) => string | undefined,
): Request {
  let keys: readonly string[] | undefined
  return {
    command: (args[0] as Buffer).toString('latin1').toLowerCase(),
    args,
    script: nameScript(args),
    keys: () => (keys ??= readKeys(args)),
  }
}

/** The second word in lower case, where commands keep their subcommand. */
export function subcommandOf(request: Request): string {
  return request.args[1]?.toString('latin1').toLowerCase() ?? ''
}
