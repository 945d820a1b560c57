import { createBreaker, isBreakerOpenError } from '@safety/breaker'
import { connectRedis, keyspace } from '@safety/redis-core'

const redis = connectRedis(process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379')
const print = (line: string): void => void process.stdout.write(`${line}\n`)

// One breaker per dependency. Every process of the fleet makes its own under the same name.
const payments = createBreaker({
  name: 'payments',
  redis,
  keyspace: keyspace(`quickstart-${process.pid}`), // so that each run starts afresh; usually left out
  expect: 1, // the fewest processes you normally run
  attemptTimeoutMs: 2_000,
  onEvent: event => print(`${event.type}: ${event.previous} -> ${event.state}`),
})
print(`deciding with the ${await payments.ready()}`)

async function charge(amount: string): Promise<string> {
  return payments.run(async ({ signal }) => {
    signal.throwIfAborted() // hand the signal to fetch(), undici, a driver ...
    throw new Error(`the provider is down, ${amount} not charged`)
  })
}

for (let attempt = 1; attempt <= 12; attempt += 1) {
  try {
    await charge('12.50')
  } catch (error) {
    if (!isBreakerOpenError(error)) continue
    print(`rejected at attempt ${attempt}, it never ran; again in ${error.retryAfterMs} ms`)
    break
  }
}

await payments[Symbol.asyncDispose]()
redis.disconnect()
