import type { FastifyReply } from 'fastify'

/** One HTTP answer on its raw socket, so that it can also be broken on purpose. */
export interface RawAnswer {
  /** The client has left. */
  readonly gone: boolean
  send(status: number, headers: Readonly<Record<string, string | string[]>>, body: Buffer): void
  /** Promises the whole body, sends `bytes` of it, ends the connection. */
  cut(status: number, headers: Readonly<Record<string, string | string[]>>, body: Buffer, bytes: number): void
  reset(): void
  end(): void
}

/** Takes an answer out of fastify's hands. */
export function takeOver(reply: FastifyReply): RawAnswer {
  const { raw } = reply
  reply.hijack()
  let clientLeft = false
  raw.once('close', () => (clientLeft = true))
  const head = (status: number, headers: Readonly<Record<string, string | string[]>>, body: Buffer): void => {
    raw.writeHead(status, { ...headers, 'content-length': String(body.length) })
  }

  return {
    get gone() {
      return clientLeft || raw.destroyed
    },
    send: (status, headers, body) => {
      head(status, headers, body)
      raw.end(body)
    },
    cut: (status, headers, body, bytes) => {
      // At least one byte of a promised body is always missing, or the client would not notice.
      const part = body.subarray(0, Math.max(0, Math.min(bytes, body.length - 1)))
      head(status, headers, body)
      raw.flushHeaders()
      if (part.length > 0) raw.write(part, () => raw.socket?.destroySoon())
      else raw.socket?.destroySoon()
    },
    reset: () => void raw.socket?.resetAndDestroy(),
    end: () => raw.socket?.destroySoon(),
  }
}
