import { createIdempotency } from '@safety/idempotency'
import { effectContextOf, idempotencyExpress } from '@safety/idempotency/http'
import express from 'express'
import { Redis } from 'ioredis'

const redis = new Redis(process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379')
const idem = createIdempotency({ redis, namespace: 'shop' })
const tenants = new Map([['Bearer acme-token', 'acme']]) // stands for your users

const app = express()
app.use((request, response, next) => {
  if (tenants.has(request.headers.authorization ?? '')) next()
  else response.status(401).json({ error: 'who are you?' })
})
app.use(
  express.json(),
  idempotencyExpress(idem, {
    scope: request => tenants.get(request.headers.authorization ?? '') ?? '', // whose keys these are
    recovery: { mode: 'manual' }, // a handler that ends unclearly waits for a person
  }),
)

let orders = 0
app.post('/orders', (request, response) => {
  orders += 1
  response.status(201).json({ order: orders, effectId: effectContextOf(request)?.effectId })
})

const server = app.listen(Number(process.env['PORT'] ?? 3000), () => {
  const address = server.address()
  process.stdout.write(`http://localhost:${typeof address === 'object' ? address?.port : address}\n`)
})
process.once('SIGTERM', () => server.close(() => void idem[Symbol.asyncDispose]().then(() => redis.quit())))
