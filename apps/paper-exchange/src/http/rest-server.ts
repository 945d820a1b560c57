import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ExchangeCore } from '../exchange-core.ts'
import { splitParameters } from './parameters.ts'
import type { SentParameters } from './parameters.ts'
import { createRestEndpoints } from './rest-endpoints.ts'
import { unknownPath } from './refusal.ts'
import { createRestPort } from './rest-port.ts'
import type { Call, Endpoint } from './admission.ts'
import type { RequestFlow } from './request-flow.ts'
import { restSignedText } from './signature.ts'

const NOTHING: SentParameters = { values: new Map(), duplicated: false }

/** Adds the REST dialect to the server. */
export function addRestDialect(app: FastifyInstance, core: ExchangeCore, flow: RequestFlow): void {
  const endpoints = createRestEndpoints(core)
  app.all('/*', (request, reply) => {
    const call = readCall(request, endpoints)
    const port = createRestPort(reply)
    try {
      flow.handle(call, port)
    } catch (error) {
      // A defect of the exchange. Books that may be wrong must not go on judging: it ends here, loudly.
      port.end()
      queueMicrotask(() => {
        throw error
      })
    }
  })
}

function readCall(request: FastifyRequest, endpoints: ReadonlyMap<string, Endpoint>): Call {
  const url = request.raw.url ?? '/'
  const mark = url.indexOf('?')
  const path = mark < 0 ? url : url.slice(0, mark)
  const rawQuery = mark < 0 ? '' : url.slice(mark + 1)
  // Parameters of a GET are its query alone.
  const rawBody = request.method !== 'GET' && Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
  const apiKey = request.headers['x-mbx-apikey']
  const endpoint = endpoints.get(`${request.method} ${path}`)
  return {
    channel: 'rest',
    method: request.method,
    path,
    endpoint: endpoint ?? nowhere,
    ip: request.ip,
    apiKey: typeof apiKey === 'string' ? apiKey : undefined,
    sent: endpoint === undefined ? NOTHING : splitParameters(rawQuery, rawBody.toString('utf8')),
    signed: () => restSignedText(rawQuery, rawBody),
  }
}

/** Costs as much as the lightest call and says so in HTML, as the real one does. */
const nowhere: Endpoint = {
  security: 'none',
  parameters: {},
  weight: () => 1,
  prepare: () => unknownPath,
}
