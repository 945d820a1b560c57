import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import { PaperExchangeError } from '../errors.ts'
import { takeOver } from './raw-answer.ts'

const BODY_LIMIT_BYTES = 65_536
/** Longer than clients keep a connection, so that they never send into one that is just being closed. */
const KEEP_ALIVE_MS = 120_000
const BAD_REQUEST = '{"code":-1000,"msg":"Bad request."}'

/** The HTTP server, with bodies left as bytes. Nothing is logged. */
export function createHttpServer(): FastifyInstance {
  const app = fastify({
    bodyLimit: BODY_LIMIT_BYTES,
    forceCloseConnections: true,
    keepAliveTimeout: KEEP_ALIVE_MS,
    logger: false,
    frameworkErrors: (_error, _request, reply) => takeOver(reply).send(400, {}, Buffer.from(BAD_REQUEST)),
  })
  app.setErrorHandler((error, _request, reply) => {
    const { statusCode = 500 } = error as { statusCode?: number }
    return reply.code(statusCode).send({ code: -1000, msg: error instanceof Error ? error.message : String(error) })
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  return app
}

/** Listens on 127.0.0.1. @returns the port @throws {PaperExchangeError} `ERR_PAPER_PORT`, after `undo` has run */
export async function listenLocally(app: FastifyInstance, port: number, undo: () => Promise<void>): Promise<number> {
  try {
    await app.listen({ host: '127.0.0.1', port })
  } catch (error) {
    await undo()
    const code = (error as { code?: unknown }).code
    if (code !== 'EADDRINUSE' && code !== 'EACCES') throw error
    const message = `port ${port} is taken or not allowed (${code}); choose another one with --port`
    throw new PaperExchangeError('ERR_PAPER_PORT', message, { cause: error })
  }
  const address = app.server.address()
  return typeof address === 'object' && address !== null ? address.port : port
}
