import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { createFramer } from './framer.ts'
import { decodeReply, encodeRequest, type RespValue } from './value.ts'

/** A bare connection for set-up work: no reconnecting, no re-sending, no hidden commands. */
export interface RespConnection {
  /** Sends a command and resolves with its reply; an error reply is a value. Rejects when the connection ends. */
  send(...args: (string | number)[]): Promise<RespValue>
  close(): void
}

interface Waiter {
  resolve(value: RespValue): void
  reject(error: Error): void
}

function open({ host, port, tls = false }: RespTarget, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    // Tests also start servers whose certificate a client must refuse; that the server is ours is proved by INFO.
    const socket = tls ? connectTls({ host, port, rejectUnauthorized: false }) : connect({ host, port, noDelay: true })
    const fail = (error: Error): void => {
      clearTimeout(timer)
      socket.destroy()
      reject(error)
    }
    const timer = setTimeout(
      () => fail(new Error(`no connection to ${host}:${port} within ${timeoutMs} ms`)),
      timeoutMs,
    )
    socket.once('error', fail)
    socket.once(tls ? 'secureConnect' : 'connect', () => {
      clearTimeout(timer)
      socket.off('error', fail)
      resolve(socket)
    })
  })
}

export interface RespTarget {
  host: string
  port: number
  password?: string | undefined
  /** Speak TLS. @default false */
  tls?: boolean
  /** For the connection, and for each reply. @default 5000 */
  timeoutMs?: number
}

/** Connects and, when a password is given, authenticates. */
export async function openRespConnection(target: RespTarget): Promise<RespConnection> {
  const timeoutMs = target.timeoutMs ?? 5_000
  const socket = await open(target, timeoutMs)
  const framer = createFramer()
  const waiting: Waiter[] = []
  const endAll = (error: Error): void => {
    socket.destroy()
    for (const waiter of waiting.splice(0)) waiter.reject(error)
  }
  socket.setTimeout(timeoutMs, () => {
    if (waiting.length > 0) endAll(new Error(`${target.host}:${target.port} did not answer within ${timeoutMs} ms`))
  })
  socket.on('error', endAll)
  socket.on('close', () => endAll(new Error(`${target.host}:${target.port} closed the connection`)))
  socket.on('data', chunk => {
    try {
      for (const message of framer.push(chunk)) waiting.shift()?.resolve(decodeReply(message))
    } catch (error) {
      endAll(error as Error) // no Redis at the other end
    }
  })
  const connection: RespConnection = {
    send: (...args) =>
      new Promise((resolve, reject) => {
        if (socket.destroyed) {
          reject(new Error(`${target.host}:${target.port} closed the connection`))
          return
        }
        waiting.push({ resolve, reject })
        socket.write(encodeRequest(args))
      }),
    close: () => endAll(new Error('the connection was closed')),
  }
  if (target.password !== undefined) await connection.send('AUTH', target.password)
  return connection
}

/** Lends a connection, and closes it afterwards. */
export async function withRespConnection<T>(
  target: RespTarget,
  work: (connection: RespConnection) => Promise<T>,
): Promise<T> {
  const connection = await openRespConnection(target)
  try {
    return await work(connection)
  } finally {
    connection.close()
  }
}
