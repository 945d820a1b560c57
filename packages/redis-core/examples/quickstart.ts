import { connectRedis, createToken, defineScript, keyspace, runScript } from '@safety/redis-core'
import { startFaultProxy, startRedis } from '@safety/redis-core/testing'

// Takes from the stock once per token, however often it is sent.
const take = defineScript({
  name: 'shop.take',
  keys: ['stock', 'taken'],
  args: { token: 'text', count: 'integer' },
  reply: reply => ({ left: reply.integer(), repeated: reply.integer() === 1 }),
  lua: `
local before = redis.call('HGET', taken, token)
if before then return { before, 1 } end
local left = string.format('%.0f', redis.call('DECRBY', stock, count))
redis.call('HSET', taken, token, left)
redis.call('PEXPIRE', taken, 86400000)
return { left, 0 }`,
})

// Stands for your Redis: connectRedis('redis://…') is all you need. The proxy in front of it loses a reply for us.
await using server = await startRedis()
await using proxy = await startFaultProxy(server)
const redis = connectRedis(proxy.url, { connectionName: 'shop' })

const shop = keyspace('shop')
const keys = { stock: shop.tagged('tea', 'stock'), taken: shop.tagged('tea', 'taken') }
const input = { keys, args: { token: createToken(), count: 2 } }

proxy.dropReply({ match: { command: 'eval' } })
const outcome = await runScript(redis, take, input, { deadlineMs: 500 }).catch(error => error.outcome)
process.stdout.write(`first call: ${outcome}\n`) // unknown: it may have run

// Nobody knows, so the same call goes out again with the same token.
const { left, repeated } = await runScript(redis, take, input, { deadlineMs: 5000 })
process.stdout.write(`again: ${left} left, ${repeated ? 'it had run' : 'it had not run'}\n`)

redis.disconnect()
