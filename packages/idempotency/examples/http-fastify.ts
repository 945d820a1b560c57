import { createIdempotency } from '@safety/idempotency'
import { effectContextOf, idempotencyFastify } from '@safety/idempotency/http'
import fastify from 'fastify'
import { Redis } from 'ioredis'

const redis = new Redis(process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379')
const idem = createIdempotency({ redis, namespace: 'shop' })
const tenants = new Map([['Bearer acme-token', 'acme']]) // stands for your users

const app = fastify()
app.addHook('onRequest', async (request, reply) => {
  if (!tenants.has(request.headers.authorization ?? '')) await reply.code(401).send({ error: 'who are you?' })
})
await app.register(
  idempotencyFastify(idem, {
    scope: request => tenants.get(request.headers.authorization ?? '') ?? '', // whose keys these are
    recovery: { mode: 'manual' }, // a handler that ends unclearly waits for a person
  }),
)

let orders = 0
app.post('/orders', async (request, reply) => {
  orders += 1
  return reply.code(201).send({ order: orders, effectId: effectContextOf(request)?.effectId })
})

app.addHook('onClose', async () => {
  await idem[Symbol.asyncDispose]()
  await redis.quit()
})
process.once('SIGTERM', () => void app.close())
process.stdout.write(`${await app.listen({ port: Number(process.env['PORT'] ?? 3000) })}\n`)
