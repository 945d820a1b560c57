import { timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { AuditClaims } from '../audit/claims.ts'
import type { PaperControls, Told } from './controls.ts'
import { describeIssue } from '../options.ts'
import type { TruthQuery } from '../truth/entry.ts'
import { TRUTH_TYPES } from '../truth/read-truth.ts'

/** Claims name every intent of a run: about 100 bytes each, of hours of trading. */
const CLAIMS_LIMIT_BYTES = 64 * 1024 * 1024

const LOCAL_HOST = /^(127\.0\.0\.1|localhost)(:\d{1,5})?$/

const SKEW_LIMIT_MS = 86_400_000
const ADVANCE_LIMIT_MS = 30 * 86_400_000

const CLOCK = z.strictObject({
  mode: z.enum(['real', 'manual']).optional(),
  advanceMs: z.int().min(0).max(ADVANCE_LIMIT_MS).optional(),
  skewMs: z.int().min(-SKEW_LIMIT_MS).max(SKEW_LIMIT_MS).optional(),
})
const MARKET = z
  .strictObject({
    symbol: z.string().optional(),
    status: z.enum(['TRADING', 'HALT', 'CANCEL_ONLY']).optional(),
    price: z
      .string()
      .regex(/^\d{1,20}(\.\d{1,8})?$/, 'must be a decimal string')
      .optional(),
    pause: z.boolean().optional(),
    bars: z.int().min(1).max(10_000).optional(),
  })
  .refine(
    change =>
      [change.status, change.price, change.pause, change.bars].filter(value => value !== undefined).length === 1,
    'give exactly one of status, price, pause and bars',
  )
  .refine(change => change.price === undefined || change.symbol !== undefined, {
    path: ['symbol'],
    message: 'a price needs a symbol',
  })
const ACCOUNT = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'must be 1 to 32 of a-z, 0-9 and -'),
  balances: z.record(z.string(), z.string()).optional(),
})
const ACCOUNT_NAME = z.strictObject({ account: z.string() })
const CLAIMS = z.strictObject({
  account: z.string(),
  intents: z.array(z.string()).optional(),
  records: z
    .record(z.string(), z.object({ believes: z.enum(['ordered', 'refused', 'unknown']), reason: z.string().nullish() }))
    .optional(),
  ledger: z.record(z.string(), z.string().regex(/^-?\d{1,20}(\.\d{1,18})?$/, 'must be a decimal string')).optional(),
  killAtMs: z.number().nullish(),
  permitMs: z.number().optional(),
  fromSeq: z.int().optional(),
})
const TRUTH_QUERY = z.strictObject({
  account: z.string().optional(),
  type: z.enum(TRUTH_TYPES).optional(),
  after: z.coerce.number().int().min(0).optional(),
  limit: z.coerce.number().int().min(1).max(1000).optional(),
})

/** Drops what was not asked for, which the log tells apart from an asked `undefined`. */
function readTruthQuery(query: unknown): TruthQuery {
  const { account, type, after, limit } = TRUTH_QUERY.parse(query)
  return {
    ...(account === undefined ? {} : { account }),
    ...(type === undefined ? {} : { type }),
    ...(after === undefined ? {} : { after }),
    ...(limit === undefined ? {} : { limit }),
  }
}

/** Reads claims about a trader. @throws {z.ZodError} */
export function readClaims(value: unknown): AuditClaims {
  const { records, killAtMs, ...rest } = CLAIMS.parse(value)
  return {
    ...rest,
    killAtMs: killAtMs ?? undefined,
    records:
      records === undefined
        ? undefined
        : Object.fromEntries(
            Object.entries(records).map(([id, { believes, reason }]) => [
              id,
              { believes, reason: reason ?? undefined },
            ]),
          ),
  }
}

/** Adds `/_paper`: what the exchange can be told to do, and what it knows. Changes need the token. */
export function addControlPlane(
  app: FastifyInstance,
  token: string,
  addRoutes: (plane: FastifyInstance) => void,
): void {
  const secret = Buffer.from(token)

  const guard = async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    if (!LOCAL_HOST.test(request.headers.host ?? '')) return reply.code(403).send({ error: 'foreign Host header' })
    const changes = request.method !== 'GET' && !request.url.startsWith('/_paper/audit')
    const sent = Buffer.from(String(request.headers['x-paper-token'] ?? ''))
    if (changes && !(sent.length === secret.length && timingSafeEqual(sent, secret))) {
      return reply.code(401).send({ error: 'X-Paper-Token is missing or wrong' })
    }
    return undefined
  }

  void app.register(
    (plane, _options, done) => {
      plane.addHook('onRequest', guard)
      plane.setErrorHandler((error, _request, reply) => {
        if (error instanceof z.ZodError) return reply.code(400).send({ error: describeIssue(error) })
        if (error instanceof ControlRefusal) return reply.code(400).send({ error: error.message })
        return reply.code(500).send({ error: error instanceof Error ? error.message : String(error) })
      })
      plane.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: 'no such control' }))
      addRoutes(plane)
      done()
    },
    { prefix: '/_paper' },
  )
}

/** Faults and the truth log: what an exchange and a proxy have in common. */
export function addFaultAndTruthRoutes(
  plane: FastifyInstance,
  controls: Pick<PaperControls, 'inject' | 'faults' | 'removeFaults' | 'truth'>,
): void {
  plane.get('/faults', () => controls.faults())
  plane.post('/faults', request => ({ ids: told(controls.inject(body(request))) }))
  plane.delete('/faults', () => controls.removeFaults(undefined))
  plane.delete<{ Params: { id: string } }>('/faults/:id', request => controls.removeFaults(request.params.id))
  plane.get('/truth', request => controls.truth(readTruthQuery(request.query)))
}

/** Everything an exchange can be told. */
export function addExchangeRoutes(plane: FastifyInstance, controls: PaperControls): void {
  addFaultAndTruthRoutes(plane, controls)
  plane.get('/clock', () => controls.clock())
  plane.post('/clock', request => told(controls.setClock(CLOCK.parse(body(request)))))
  plane.post('/market', request => told(controls.setMarket(MARKET.parse(body(request)))))
  plane.post('/accounts', request => told(controls.addAccount(ACCOUNT.parse(body(request)))))
  plane.post('/wipe', request => told(controls.wipe(ACCOUNT_NAME.parse(body(request)).account)))
  plane.get('/state', request => told(controls.state(ACCOUNT_NAME.parse(request.query).account)))
  plane.post('/audit', { bodyLimit: CLAIMS_LIMIT_BYTES }, request => told(controls.audit(readClaims(body(request)))))
}

class ControlRefusal extends Error {}

function told<T>(result: Told<T>): T {
  if (result.ok) return result.value
  throw new ControlRefusal(result.msg)
}

function body(request: FastifyRequest): unknown {
  const text = Buffer.isBuffer(request.body) ? request.body.toString('utf8') : ''
  try {
    return JSON.parse(text === '' ? '{}' : text)
  } catch {
    throw new ControlRefusal('the body is not JSON')
  }
}
