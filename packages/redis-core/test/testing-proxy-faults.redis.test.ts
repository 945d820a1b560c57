import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { connectRedis, defineScript, runScript, whenReady, type Keyspace, type Random } from '../src/index.ts'
import {
  startFaultProxy,
  startRedis,
  testKeyspace,
  type FaultProxy,
  type ProxyFault,
  type RedisServer,
} from '../src/testing/index.ts'

let server: RedisServer
let direct: Redis
let proxy: FaultProxy
let keys: Keyspace
let cleanUp: (() => void)[]

beforeAll(async () => {
  server = await startRedis()
  direct = new Redis(server.url)
})
afterAll(async () => {
  direct.disconnect()
  await server[Symbol.asyncDispose]()
})
beforeEach(async () => {
  proxy = await startFaultProxy(server)
  keys = testKeyspace('proxy')
  cleanUp = []
})
afterEach(async () => {
  for (const run of cleanUp) run()
  await proxy[Symbol.asyncDispose]()
})

/** A client that neither reconnects nor repeats anything, and waits as long as it takes. */
async function client(options: { url?: string; protocol?: 2 | 3 } = {}): Promise<Redis> {
  const redis = new Redis(options.url ?? proxy.url, {
    retryStrategy: () => null,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    protocol: options.protocol ?? 2,
  })
  redis.on('error', () => {})
  cleanUp.push(() => redis.disconnect())
  await once(redis, 'ready')
  return redis
}

interface RawClient {
  socket: Socket
  /** Everything received so far. */
  text(): string
  /** Waits until the text received ends so. */
  until(end: string): Promise<string>
  /** What ended the connection; undefined while it stands. */
  ending(): 'fin' | 'reset' | undefined
}

async function rawClient(port = proxy.port): Promise<RawClient> {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true })
  let text = ''
  let ending: 'fin' | 'reset' | undefined
  socket.on('data', chunk => (text += chunk.toString('latin1')))
  socket.on('end', () => (ending ??= 'fin'))
  socket.on('error', error => {
    if ((error as NodeJS.ErrnoException).code === 'ECONNRESET') ending = 'reset'
  })
  cleanUp.push(() => socket.destroy())
  // A connection that is reset at once may never be seen to stand.
  await new Promise<void>(resolve => socket.once('connect', resolve).once('close', () => resolve()))
  return {
    socket,
    text: () => text,
    ending: () => ending,
    async until(end) {
      await expect.poll(() => text.endsWith(end) || text, { timeout: 10_000, interval: 5 }).toBe(true)
      return text
    },
  }
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}

const settled = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    value => `value ${String(value)}`,
    (error: unknown) => `error ${(error as Error).message}`,
  )

describe('a lost reply', () => {
  test.each(['reset', 'fin'] as const)('by %s: the command ran once, and its caller gets an error', async ending => {
    const redis = await client()
    const lost = proxy.dropReply({ match: { command: 'INCR' }, then: ending })
    await expect(redis.incr(keys.key('n'))).rejects.toThrow()
    expect(lost.fired).toBe(1)
    expect(await direct.get(keys.key('n'))).toBe('1')
  })

  test('by silence: the caller hears nothing, and its later commands still run', async () => {
    const redis = await client()
    const lost = proxy.dropReply({ match: { command: 'incr' }, then: 'silence' })
    const outcomes: string[] = []
    for (let call = 0; call < 3; call++) void settled(redis.incr(keys.key('n'))).then(text => outcomes.push(text))
    await expect.poll(() => direct.get(keys.key('n'))).toBe('3')
    await pause(100)
    expect(outcomes).toEqual([])
    expect(lost.fired).toBe(1)
    redis.disconnect()
    await expect.poll(() => proxy.connections).toBe(0)
  })

  test('is lost once unless the match says otherwise', async () => {
    const once = proxy.dropReply({ match: { command: 'incr' } })
    for (const expected of ['error', 'value 2', 'value 3']) {
      expect(await settled((await client()).incr(keys.key('n')))).toContain(expected)
    }
    expect(once.fired).toBe(1)
    const always = proxy.dropReply({ match: { command: 'incr', share: 1 } })
    for (let call = 0; call < 3; call++) await expect((await client()).incr(keys.key('m'))).rejects.toThrow()
    expect(always.fired).toBe(3)
    expect(await direct.get(keys.key('m'))).toBe('3')
  })

  test('a client with the defaults of ioredis runs the command twice', async () => {
    const redis = new Redis(proxy.url)
    cleanUp.push(() => redis.disconnect())
    redis.on('error', () => {})
    proxy.dropReply({ match: { command: 'incr' }, then: 'reset' })
    expect(await redis.incr(keys.key('n'))).toBe(2)
  })

  test('replies before it in the pipeline arrive, those behind it do not', async () => {
    const redis = await client()
    proxy.dropReply({ match: { command: 'echo', nth: 3 }, then: 'reset' })
    const outcomes = await Promise.all(['a', 'b', 'c', 'd', 'e'].map(text => settled(redis.echo(text))))
    expect(outcomes.map(text => text.replace(/^error.*/, 'error'))).toEqual([
      'value a',
      'value b',
      'error',
      'error',
      'error',
    ])
  })
})

describe('a lost request', () => {
  test.each(['reset', 'fin', 'silence'] as const)('by %s never runs', async ending => {
    const redis = await client()
    const lost = proxy.add({ match: { command: 'incr' }, action: { kind: 'drop-request', then: ending } })
    const outcome = settled(redis.incr(keys.key('n')))
    if (ending !== 'silence') expect(await outcome).toContain('error')
    await expect.poll(() => lost.fired).toBe(1)
    await pause(50)
    expect(await direct.exists(keys.key('n'))).toBe(0)
  })

  test('by silence: replies to requests before it still arrive', async () => {
    const raw = await rawClient()
    proxy.add({ match: { command: 'incr' }, action: { kind: 'drop-request', then: 'silence' } })
    proxy.add({ match: { command: 'echo', direction: 'reply' }, action: { kind: 'delay', ms: 50 } })
    raw.socket.write(`ECHO before\r\nINCR ${keys.key('n')}\r\nECHO after\r\n`)
    await raw.until('$6\r\nbefore\r\n')
    await pause(50)
    expect(raw.text()).toBe('$6\r\nbefore\r\n')
    expect(raw.ending()).toBeUndefined()
  })

  test('answered with an error: the error comes in its turn, and the command never runs', async () => {
    const redis = await client()
    proxy.add({ match: { command: 'incr', nth: 2 }, action: { kind: 'error', message: 'LOADING loading the dataset' } })
    const outcomes = await Promise.all([
      settled(redis.incr(keys.key('n'))),
      settled(redis.echo('a')),
      settled(redis.incr(keys.key('n'))),
      settled(redis.echo('b')),
      settled(redis.incr(keys.key('n'))),
    ])
    expect(outcomes).toEqual(['value 1', 'value a', 'error LOADING loading the dataset', 'value b', 'value 2'])
  })
})

describe('holding', () => {
  test('a held request runs at release, in order with what follows', async () => {
    const redis = await client()
    const held = proxy.hold({ command: 'set' })
    const first = redis.set(keys.key('k'), 'held')
    const second = redis.get(keys.key('k'))
    await expect.poll(() => held.fired).toBe(1)
    await pause(50)
    expect(await direct.exists(keys.key('k'))).toBe(0)
    proxy.release()
    expect(await first).toBe('OK')
    expect(await second).toBe('held')
    expect(await redis.set(keys.key('k'), 'free')).toBe('OK')
  })

  test('a held request runs at release even when its client has left', async () => {
    const redis = await client()
    const held = proxy.hold({ command: 'incr' })
    const outcome = settled(redis.incr(keys.key('n')))
    await expect.poll(() => held.fired).toBe(1)
    redis.disconnect()
    expect(await outcome).toContain('error')
    expect(await direct.exists(keys.key('n'))).toBe(0)
    proxy.release()
    await expect.poll(() => direct.get(keys.key('n'))).toBe('1')
    await expect.poll(() => proxy.connections).toBe(0)
  })

  test('a held reply has been executed', async () => {
    const redis = await client()
    proxy.hold({ command: 'incr', direction: 'reply' })
    const outcome = settled(redis.incr(keys.key('n')))
    await expect.poll(() => direct.get(keys.key('n'))).toBe('1')
    proxy.release()
    expect(await outcome).toBe('value 1')
  })

  test('without a match nothing passes either way, new connections included', async () => {
    const redis = await client()
    proxy.hold()
    const late = rawClient()
    const outcomes: string[] = []
    const calls = [redis.echo('a'), redis.echo('b')].map(call => settled(call).then(text => outcomes.push(text)))
    const raw = await late
    raw.socket.write('PING\r\n')
    await pause(100)
    expect([outcomes, raw.text()]).toEqual([[], ''])
    proxy.release()
    await Promise.all(calls)
    expect(outcomes).toEqual(['value a', 'value b'])
    await raw.until('+PONG\r\n')
  })
})

describe('slow lines', () => {
  test('a delayed reply is late, and everything keeps its order', async () => {
    const redis = await client()
    proxy.add({ match: { command: 'echo', nth: 1, direction: 'reply' }, action: { kind: 'delay', ms: 150 } })
    const begun = performance.now()
    const order: string[] = []
    await Promise.all(['a', 'b', 'c'].map(async text => order.push(await redis.echo(text))))
    expect(order).toEqual(['a', 'b', 'c'])
    expect(performance.now() - begun).toBeGreaterThan(140)
  })

  test('delays of pipelined messages run side by side, not one after the other', async () => {
    const redis = await client()
    const delayed = proxy.add({ match: { command: 'echo' }, action: { kind: 'delay', ms: 200, jitterMs: 10 } })
    const begun = performance.now()
    await Promise.all(Array.from({ length: 50 }, (_, index) => redis.echo(String(index))))
    expect(delayed.fired).toBe(50)
    expect(performance.now() - begun).toBeLessThan(50 * 200)
  })

  test('a sliced reply arrives whole, in pieces', async () => {
    const raw = await rawClient()
    proxy.add({ match: { command: 'echo' }, action: { kind: 'slice', bytes: 3, everyMs: 5 } })
    let pieces = 0
    raw.socket.on('data', () => pieces++)
    raw.socket.write('ECHO abcdefghijklmnopqrstuvwxyz\r\nPING\r\n')
    expect(await raw.until('+PONG\r\n')).toBe('$26\r\nabcdefghijklmnopqrstuvwxyz\r\n+PONG\r\n')
    expect(pieces).toBeGreaterThan(3)
  })

  test('a sliced request is executed once it is whole', async () => {
    const redis = await client()
    proxy.add({ match: { command: 'set', direction: 'request' }, action: { kind: 'slice', bytes: 7 } })
    expect(await redis.set(keys.key('k'), 'x'.repeat(100))).toBe('OK')
    expect(await direct.strlen(keys.key('k'))).toBe(100)
  })

  test('a throttled reply takes as long as its size says', async () => {
    const redis = await client()
    await direct.set(keys.key('k'), 'x'.repeat(4_000))
    proxy.add({ match: { command: 'get' }, action: { kind: 'throttle', bytesPerSecond: 20_000 } })
    const begun = performance.now()
    expect(await redis.get(keys.key('k'))).toHaveLength(4_000)
    expect(performance.now() - begun).toBeGreaterThan(150)
  })
})

describe('broken lines', () => {
  test('a truncated reply arrives in part and then the connection ends', async () => {
    const raw = await rawClient()
    proxy.add({ match: { command: 'echo', nth: 2 }, action: { kind: 'truncate', bytes: 6 } })
    raw.socket.write('ECHO first\r\nECHO second\r\nECHO third\r\n')
    // A client too busy to read before the RST arrives is told of an end instead.
    await expect.poll(() => raw.ending()).toBeDefined()
    expect(raw.text()).toBe('$5\r\nfirst\r\n$6\r\nse')
  })

  test('a truncated request never runs', async () => {
    const redis = await client()
    proxy.add({ match: { command: 'set', direction: 'request' }, action: { kind: 'truncate', bytes: 20 } })
    await expect(redis.set(keys.key('k'), 'value')).rejects.toThrow()
    await pause(50)
    expect(await direct.exists(keys.key('k'))).toBe(0)
  })

  test('a reset is an RST and a FIN is a FIN', async () => {
    for (const kind of ['reset', 'fin'] as const) {
      const raw = await rawClient()
      const rule = proxy.add({ match: { command: 'ping' }, action: { kind } })
      raw.socket.write('PING\r\n')
      await expect.poll(() => raw.ending()).toBe(kind)
      expect(raw.text()).toBe('')
      rule.remove()
    }
  })

  const serverSees = async (name: string): Promise<boolean> =>
    String(await direct.client('LIST')).includes(`name=${name} `)

  test('silence stops both ways and tells neither side', async () => {
    const raw = await rawClient()
    raw.socket.write('CLIENT SETNAME silenced\r\n')
    await raw.until('+OK\r\n')
    proxy.add({ match: { command: 'ping' }, action: { kind: 'silence' } })
    raw.socket.write(`PING\r\nINCR ${keys.key('n')}\r\n`)
    await pause(100)
    raw.socket.write(`INCR ${keys.key('n')}\r\n`)
    await pause(50)
    expect([raw.text(), raw.ending()]).toEqual(['+OK\r\n', undefined])
    expect(await serverSees('silenced')).toBe(true)
    raw.socket.destroy()
    await pause(50)
    expect(await serverSees('silenced')).toBe(true)
  })

  test('half-open: the server has forgotten the client, and the client is not told', async () => {
    const raw = await rawClient()
    raw.socket.write('CLIENT SETNAME forgotten\r\n')
    await raw.until('+OK\r\n')
    proxy.add({ match: { command: 'ping' }, action: { kind: 'half-open' } })
    raw.socket.write('PING\r\n')
    await expect.poll(() => serverSees('forgotten')).toBe(false)
    raw.socket.write(`INCR ${keys.key('n')}\r\n`)
    await pause(50)
    expect([raw.text(), raw.ending()]).toEqual(['+OK\r\n', undefined])
    expect(await direct.exists(keys.key('n'))).toBe(0)
  })

  test('corruption changes exactly one byte', async () => {
    const raw = await rawClient()
    proxy.add({ match: { command: 'echo', nth: 1 }, action: { kind: 'corrupt', at: 5 } })
    raw.socket.write('ECHO abc\r\nECHO abc\r\n')
    const text = await raw.until('$3\r\nabc\r\n')
    expect(text).toMatch(/^\$3\r\na[^b]c\r\n\$3\r\nabc\r\n$/s)
  })

  test('cut resets every connection, and new ones are served', async () => {
    const raws = await Promise.all([rawClient(), rawClient(), rawClient()])
    for (const raw of raws) raw.socket.write('PING\r\n')
    await Promise.all(raws.map(raw => raw.until('+PONG\r\n')))
    expect(proxy.connections).toBe(3)
    proxy.cut()
    for (const raw of raws) await expect.poll(() => raw.ending()).toBe('reset')
    await expect.poll(() => proxy.connections).toBe(0)
    expect(await (await client()).ping()).toBe('PONG')
  })

  test('a server that is down resets its clients, and serves them again after its restart', async () => {
    await using own = await startRedis()
    await using front = await startFaultProxy(own)
    const raw = await rawClient(front.port)
    raw.socket.write('PING\r\n')
    await raw.until('+PONG\r\n')
    await own.kill()
    await expect.poll(() => raw.ending()).toBeDefined()
    const early = await rawClient(front.port)
    await expect.poll(() => early.ending()).toBe('reset')
    await own.restart()
    expect(await (await client({ url: front.url })).ping()).toBe('PONG')
  })

  test('a connection can be refused after it was accepted, delayed, or never answered', async () => {
    const rules = (['fin', 'reset', 'silence'] as const).map((kind, index) =>
      proxy.add({ match: { direction: 'connect', nth: index + 1 }, action: { kind } }),
    )
    for (const ending of ['fin', 'reset', undefined]) {
      const raw = await rawClient()
      if (ending === undefined) await pause(50)
      else await expect.poll(() => raw.ending()).toBe(ending)
      expect([raw.text(), raw.ending()]).toEqual(['', ending])
    }
    expect(rules.map(rule => rule.fired)).toEqual([1, 1, 1])
    proxy.add({ match: { direction: 'connect' }, action: { kind: 'delay', ms: 120 } })
    const begun = performance.now()
    expect(await (await client()).ping()).toBe('PONG')
    expect(performance.now() - begun).toBeGreaterThan(100)
  })
})

describe('matching', () => {
  const touch = defineScript({
    name: 'proxy.touch',
    keys: ['counter'],
    args: { by: 'integer' },
    reply: reply => reply.integer(),
    lua: `return { redis.call('INCRBY', counter, by) }`,
  })
  const other = defineScript({
    name: 'proxy.other',
    keys: ['counter'],
    args: {},
    reply: reply => reply.integer(),
    lua: `return { redis.call('INCR', counter) }`,
  })

  test('takes a script by its name, under EVALSHA as under EVAL, and no other script', async () => {
    const redis = connectRedis(proxy.url)
    cleanUp.push(() => redis.disconnect())
    await whenReady(redis)
    const lost = proxy.dropReply({ match: { script: 'proxy.touch', nth: 3 }, then: 'reset' })
    const input = { keys: { counter: keys.key('n') }, args: { by: 1 } }
    await runScript(redis, other, { keys: input.keys, args: {} })
    await runScript(redis, touch, input) // EVALSHA, NOSCRIPT, EVAL
    expect(lost.fired).toBe(0)
    await expect(runScript(redis, touch, input)).rejects.toMatchObject({ code: 'ERR_REDIS_UNKNOWN' })
    expect(lost.fired).toBe(1)
    expect(await direct.get(keys.key('n'))).toBe('3')
  })

  test('learns a script that is in no catalogue from the text of EVAL or SCRIPT LOAD', async () => {
    await using front = await startFaultProxy(server, { scripts: () => new Map() })
    const redis = await client({ url: front.url })
    const text = "-- elsewhere.run\nreturn redis.call('INCR', KEYS[1])"
    await redis.eval(text, 1, keys.key('n'))
    const sha1 = (await redis.script('LOAD', "-- elsewhere.load\nreturn redis.call('INCR', KEYS[1])")) as string
    front.add({ match: { script: 'elsewhere.load' }, action: { kind: 'error', message: 'BUSY' } })
    await expect(redis.evalsha(sha1, 1, keys.key('n'))).rejects.toThrow('BUSY')
    expect(await redis.eval(text, 1, keys.key('n'))).toBe(2)
    const named = front.log().filter(line => line.script !== undefined)
    expect(named.map(line => [line.command, line.script, line.ordinal])).toEqual([
      ['eval', 'elsewhere.run', 1],
      ['evalsha', 'elsewhere.load', 1],
      ['eval', 'elsewhere.run', 2],
    ])
  })

  test('takes a request by any of its keys', async () => {
    const redis = await client()
    const rule = proxy.add({
      match: { keyPrefix: keys.key('a') },
      action: { kind: 'error', message: 'TRYAGAIN later' },
    })
    expect(await settled(redis.set(keys.key('b'), '1'))).toBe('value OK')
    expect(await settled(redis.echo(keys.key('a')))).toContain('value')
    expect(await settled(redis.set(keys.key('a', 'x'), '1'))).toContain('TRYAGAIN')
    expect(await settled(redis.mset(keys.key('b'), '1', keys.key('a', 'y'), '1'))).toContain('TRYAGAIN')
    expect(await settled(redis.eval('return 1', 2, keys.key('b'), keys.key('a', 'z')))).toContain('TRYAGAIN')
    expect(rule.fired).toBe(3)
  })

  test('takes commands of any case, several of them, and subcommands', async () => {
    const raw = await rawClient()
    const rule = proxy.add({ match: { command: ['Echo', 'client GETNAME'] }, action: { kind: 'delay', ms: 1 } })
    raw.socket.write('echo a\r\nECHO a\r\nPING\r\nclient getname\r\nCLIENT ID\r\nPING\r\n')
    await raw.until('+PONG\r\n')
    await expect.poll(() => raw.text().split('+PONG').length).toBe(3)
    expect(rule.fired).toBe(3)
  })

  test('counts the nth from when the rule was added, over all connections', async () => {
    const clients = await Promise.all([client(), client()])
    for (const redis of clients) await redis.echo('before')
    const rule = proxy.add({ match: { command: 'echo', nth: 3 }, action: { kind: 'error', message: 'NTH hit' } })
    const outcomes: string[] = []
    for (const index of [0, 1, 0, 1]) outcomes.push(await settled((clients[index] as Redis).echo('x')))
    expect(outcomes).toEqual(['value x', 'value x', 'error NTH hit', 'value x'])
    expect(rule.fired).toBe(1)
  })

  test('each rule counts all it takes, also what another rule acts on', async () => {
    const redis = await client()
    const rules = [2, 3].map(nth =>
      proxy.add({ match: { command: 'echo', nth }, action: { kind: 'error', message: `RULE ${nth}` } }),
    )
    const outcomes: string[] = []
    for (let call = 0; call < 4; call++) outcomes.push(await settled(redis.echo('x')))
    expect(outcomes).toEqual(['value x', 'error RULE 2', 'error RULE 3', 'value x'])
    expect(rules.map(rule => rule.fired)).toEqual([1, 1])
  })

  test('lost replies asked for together are lost one after the other', async () => {
    const lost = [proxy.dropReply({ match: { command: 'incr' } }), proxy.dropReply({ match: { command: 'incr' } })]
    const outcomes: string[] = []
    for (let call = 0; call < 3; call++) outcomes.push(await settled((await client()).incr(keys.key('n'))))
    expect(outcomes.map(text => text.slice(0, 5))).toEqual(['error', 'error', 'value'])
    expect(lost.map(rule => rule.fired)).toEqual([1, 1])
  })

  test('takes a share of what it matches, drawn from the given source', async () => {
    let draws = 0
    const random: Random = { float: () => (draws++ % 4) / 4, bytes: length => new Uint8Array(length) }
    await using front = await startFaultProxy(server, {
      random,
      rules: [{ match: { command: 'echo', share: 0.5 }, action: { kind: 'error', message: 'SHARE hit' } }],
    })
    const redis = await client({ url: front.url })
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => settled(redis.echo('x'))))
    expect(outcomes.map(text => text.startsWith('error'))).toEqual([true, true, false, false, true, true, false, false])
  })

  test('the first rule that acts wins, pass shields, and a removed rule acts no more', async () => {
    const redis = await client()
    const shield = proxy.add({ match: { command: 'echo', nth: 1 }, action: { kind: 'pass' } })
    const first = proxy.add({ match: { command: 'echo' }, action: { kind: 'error', message: 'FIRST' } })
    const second = proxy.add({ match: { command: 'echo' }, action: { kind: 'error', message: 'SECOND' } })
    expect(await settled(redis.echo('x'))).toBe('value x')
    expect(await settled(redis.echo('x'))).toBe('error FIRST')
    first.remove()
    expect(await settled(redis.echo('x'))).toBe('error SECOND')
    second.remove()
    expect(await settled(redis.echo('x'))).toBe('value x')
    expect([shield.fired, first.fired, second.fired]).toEqual([1, 1, 1])
  })

  test.each([
    ['match.nth', { match: { nth: 0 }, action: { kind: 'hold' } }],
    ['match.share', { match: { share: 1.5 }, action: { kind: 'hold' } }],
    ['match.direction', { match: { direction: 'request' }, action: { kind: 'drop-reply' } }],
    ['match.direction', { match: { direction: 'connect' }, action: { kind: 'slice', bytes: 1 } }],
    ['action.ms', { action: { kind: 'delay', ms: -1 } }],
    ['action.bytes', { action: { kind: 'truncate', bytes: 0.5 } }],
    ['action.bytesPerSecond', { action: { kind: 'throttle', bytesPerSecond: 0 } }],
    ['action.message', { action: { kind: 'error', message: 'two\r\nlines' } }],
  ] as const)('refuses a rule with a wrong %s', async (field, rule) => {
    expect(() => proxy.add(rule)).toThrow(expect.objectContaining({ code: 'ERR_REDIS_OPTIONS' }))
    expect(() => proxy.add(rule)).toThrow(field)
    await expect(startFaultProxy(server, { rules: [rule] })).rejects.toMatchObject({ code: 'ERR_REDIS_OPTIONS' })
  })
})

describe('log', () => {
  test('has every request with its ordinal, its reply, and what was done to it, and no key or value', async () => {
    const faults: ProxyFault[] = []
    await using front = await startFaultProxy(
      { host: '127.0.0.1', port: server.port },
      { onFault: fault => faults.push(fault) },
    )
    const raw = await rawClient(front.port)
    front.dropReply({ match: { command: 'incr', nth: 2 }, then: 'silence' })
    raw.socket.write(
      `INCR ${keys.key('secret')}\r\nLPUSH ${keys.key('secret')} hidden\r\nINCR ${keys.key('secret')}\r\n`,
    )
    await expect.poll(() => direct.get(keys.key('secret'))).toBe('2')
    await expect.poll(() => faults.length).toBe(1)
    const lines = front.log()
    expect(lines.map(({ connection, command, ordinal, error }) => [connection, command, ordinal, error])).toEqual([
      [1, 'incr', 1, undefined],
      [1, 'lpush', 1, 'WRONGTYPE'],
      [1, 'incr', 2, undefined],
    ])
    expect(lines.map(line => line.faults.map(fault => fault.kind))).toEqual([[], [], ['drop-reply']])
    expect(faults).toEqual([
      { atMs: expect.any(Number), connection: 1, direction: 'reply', kind: 'drop-reply', command: 'incr', ordinal: 2 },
    ])
    expect(JSON.stringify(lines)).not.toMatch(/secret|hidden/)
  })

  test('keeps the last 10 000 requests and goes on counting', async () => {
    const raw = await rawClient()
    raw.socket.write(`${'PING\r\n'.repeat(10_500)}ECHO end\r\n`)
    await raw.until('$3\r\nend\r\n')
    const lines = proxy.log()
    expect(lines).toHaveLength(10_000)
    expect(lines[0]).toMatchObject({ command: 'ping', ordinal: 502 })
    expect(lines.at(-1)).toMatchObject({ command: 'echo', ordinal: 1 })
  })
})

describe('startFaultProxy', () => {
  test('has the credentials of the server in its url', async () => {
    await using locked = await startRedis({ args: ['--requirepass', 'a b'] })
    await using front = await startFaultProxy(locked)
    expect(front.url).toBe(`redis://:a%20b@127.0.0.1:${front.port}`)
    expect(await (await client({ url: front.url })).ping()).toBe('PONG')
  })

  test('dispose ends every connection and frees the port', async () => {
    const front = await startFaultProxy(server)
    const raw = await rawClient(front.port)
    const held = await rawClient(front.port)
    front.hold()
    held.socket.write('PING\r\n')
    await front[Symbol.asyncDispose]()
    for (const one of [raw, held]) await expect.poll(() => one.ending()).toBe('reset')
    const refused = connect({ host: '127.0.0.1', port: front.port })
    const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException]
    expect(error.code).toBe('ECONNREFUSED')
  })
})
