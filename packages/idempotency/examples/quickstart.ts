import { createIdempotency } from '@safety/idempotency'
import { Redis } from 'ioredis'

const redis = new Redis(process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379')
const idem = createIdempotency({ redis, namespace: 'quickstart' })

// Stands for a bank. It keeps what it paid under the id the payment came with.
const paid = new Map<string, string>()
let connectionBreaks = false

const payout = idem.define({
  name: 'payout',
  key: (order: { invoice: string; amount: string }) => order.invoice, // names the intent
  recovery: {
    mode: 'reconcile', // after a crash or an unclear error: ask the bank, never just pay again
    settleMs: 500, // how long a "no such payment" proves nothing
    lookup: async ({ effectId }) => {
      const receipt = paid.get(effectId)
      return receipt === undefined ? { outcome: 'not-run' } : { outcome: 'ran', value: receipt }
    },
  },
  run: async (order, { effectId }) => {
    const receipt = `${order.amount} EUR`
    paid.set(effectId, receipt)
    if (connectionBreaks) throw new Error('socket hang up')
    return receipt
  },
})

const print = (what: string, text: string): void => void process.stdout.write(`${what}: ${text}\n`)
const invoice = `invoice-${Date.now()}`

const first = await payout({ invoice, amount: '10.00' })
print('first call', `${first.status}, ${first.value}`)

const second = await payout({ invoice, amount: '10.00' })
print('same call again', `${second.status}, ${second.value}`)

connectionBreaks = true
const third = await payout({ invoice: `${invoice}-b`, amount: '20.00' })
print('paid, then the connection broke', `${third.status}, ${third.value}`)

const wrong = await payout({ invoice, amount: '99.00' }).catch(error => error.code)
print('same invoice, other amount', String(wrong))

print('payments at the bank', String(paid.size))
await idem[Symbol.asyncDispose]()
await redis.quit()
