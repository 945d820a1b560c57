import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'

/** An answer: an array, a number, a bulk string, `+text` for a simple string, `-ERR text` for an error, `null`. */
export type Answer = string | number | null | readonly Answer[]

export interface FakeRedis extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** Every command it got, in lower case with its arguments. */
  readonly commands: readonly string[]
}

/**
 * A server that answers from a table, for servers that cannot run here. The longest matching beginning of the command wins;
 * `undefined` is silence.
 */
export async function startFakeRedis(answer: (command: string) => Answer | undefined): Promise<FakeRedis> {
  const commands: string[] = []
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    let rest = ''
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => {
      rest += chunk
      for (let parsed = parse(rest); parsed !== undefined; parsed = parse(rest)) {
        rest = rest.slice(parsed.length)
        const command = parsed.words.join(' ')
        commands.push(command)
        const reply = answer(command)
        if (reply !== undefined) socket.write(encode(reply), 'utf8')
      }
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    commands,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>(resolve => server.close(() => resolve()))
    },
  }
}

/** Looks a command up in a table by its beginning; commands in it are in capitals. */
export function table(answers: Readonly<Record<string, Answer>>): (command: string) => Answer | undefined {
  const names = Object.keys(answers).sort((a, b) => b.length - a.length)
  return command => {
    const name = names.find(known => command.toUpperCase().startsWith(known))
    return name === undefined ? `-ERR unknown command '${command.split(' ')[0]}'` : answers[name]
  }
}

function parse(text: string): { words: string[]; length: number } | undefined {
  const head = /^\*(\d+)\r\n/.exec(text)
  if (head === null) return undefined
  let at = head[0].length
  const words: string[] = []
  for (let count = Number(head[1]); count > 0; count--) {
    const size = /^\$(\d+)\r\n/.exec(text.slice(at))
    if (size === null) return undefined
    at += size[0].length
    const length = Number(size[1])
    if (text.length < at + length + 2) return undefined
    words.push(text.slice(at, at + length))
    at += length + 2
  }
  return { words, length: at }
}

function encode(answer: Answer): string {
  if (answer === null) return '$-1\r\n'
  if (typeof answer === 'number') return `:${answer}\r\n`
  if (typeof answer !== 'string') return `*${answer.length}\r\n${answer.map(encode).join('')}`
  if (/^[+-][A-Z]/.test(answer)) return `${answer}\r\n`
  return `$${Buffer.byteLength(answer)}\r\n${answer}\r\n`
}
