import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Redis } from 'ioredis'
import { whenReady, type Keyspace } from '../src/index.ts'
import {
  resolveRedisServer,
  startFaultProxy,
  startRedis,
  testKeyspace,
  type FaultProxy,
  type RedisServer,
} from '../src/testing/index.ts'

let server: RedisServer
let direct: Redis
let proxy: FaultProxy
let keys: Keyspace
let sockets: Socket[]

beforeAll(async () => {
  const { version } = await resolveRedisServer()
  // Before 7.0 DEBUG needs no permission, and the setting does not exist.
  const args = Number.parseInt(version, 10) >= 7 ? ['--enable-debug-command', 'local'] : []
  server = await startRedis({ args })
  direct = new Redis(server.url)
})
afterAll(async () => {
  direct.disconnect()
  await server[Symbol.asyncDispose]()
})
beforeEach(async () => {
  proxy = await startFaultProxy(server)
  keys = testKeyspace('pairing')
  sockets = []
})
afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  await proxy[Symbol.asyncDispose]()
})

interface Peer {
  send(...lines: string[]): void
  /** Waits until something received matches, and returns everything since the last call. */
  receive(pattern: RegExp): Promise<string>
}

async function open(port = proxy.port): Promise<Peer> {
  const socket = connect({ host: '127.0.0.1', port })
  sockets.push(socket)
  let text = ''
  socket.on('data', chunk => (text += chunk.toString('latin1')))
  await once(socket, 'connect')
  return {
    send: (...lines) => void socket.write(lines.map(line => `${line}\r\n`).join('')),
    async receive(pattern) {
      await expect.poll(() => pattern.test(text) || text, { timeout: 10_000, interval: 5 }).toBe(true)
      const received = text
      text = ''
      return received
    },
  }
}

/** Passes only when the proxy still knows which reply is whose: it changes one byte of the reply to one command. */
async function expectPaired(peer: Peer, prefix = '\\$'): Promise<void> {
  const rule = proxy.add({ match: { command: 'echo', nth: 2 }, action: { kind: 'corrupt', at: 4 } })
  peer.send('ECHO aaaa', 'ECHO bbbb', 'ECHO cccc', 'PING')
  const text = await peer.receive(/cccc\r\n[\s\S]*PONG/i)
  expect(text).toMatch(new RegExp(`^${prefix}4\r\naaaa\r\n\\$4\r\n[^b]bbb\r\n\\$4\r\ncccc\r\n`))
  expect(rule.fired).toBe(1)
  rule.remove()
}

describe('pairing of replies with requests', () => {
  test.each([2, 3] as const)(
    'holds for 1,000 pipelined requests over RESP%s, among pushed messages',
    async protocol => {
      const peer = await open()
      peer.send(`HELLO ${protocol}`)
      await peer.receive(/modules[\s\S]*\r\n$/)
      if (protocol === 3) {
        peer.send('CLIENT TRACKING ON', `SET ${keys.key('t')} 0`)
        await peer.receive(/OK[\s\S]*OK/)
      }
      const hit = [7, 250, 500, 999, 1_000]
      const rules = hit.map(nth => proxy.add({ match: { command: 'echo', nth }, action: { kind: 'corrupt', at: 4 } }))
      const lines = Array.from({ length: 1_000 }, (_, index) => [
        ...(index % 10 === 0 ? [`GET ${keys.key('t')}`, `SET ${keys.key('t')} ${index}`] : []),
        `ECHO ${String(index + 1).padStart(4, '0')}`,
      ]).flat()
      peer.send(...lines, 'PING')
      const text = await peer.receive(/\+PONG\r\n$/)
      const echoed = [...text.matchAll(/\$4\r\n([\s\S]{4})\r\n/g)].map(match => match[1] as string)
      const numbers = echoed.filter(value => !/^(OK|GET)/.test(value)).slice(-1_000)
      expect(numbers).toHaveLength(1_000)
      const changed = numbers.flatMap((value, index) =>
        value === String(index + 1).padStart(4, '0') ? [] : [index + 1],
      )
      expect(changed).toEqual(hit)
      expect(rules.map(rule => rule.fired)).toEqual([1, 1, 1, 1, 1])
      if (protocol === 3) expect(text.match(/>2\r\n\$10\r\ninvalidate/g)?.length).toBe(100)
      expect(proxy.log().filter(line => line.answeredMs === undefined)).toEqual([])
    },
  )

  test('holds for a reply of 8 MB that comes in many packets', async () => {
    const redis = new Redis(proxy.url)
    const value = 'v\r\n$5'.repeat(1_398_101)
    expect(await redis.set(keys.key('big'), value)).toBe('OK')
    const [read, echoed] = await Promise.all([redis.get(keys.key('big')), redis.echo('behind')])
    expect(read === value).toBe(true)
    expect(echoed).toBe('behind')
    redis.disconnect()
  })

  test('holds for every type of RESP3', async () => {
    const peer = await open()
    peer.send('HELLO 3')
    await peer.receive(/modules[\s\S]*\r\n$/)
    const types = [
      'string',
      'integer',
      'double',
      'bignum',
      'null',
      'array',
      'set',
      'map',
      'attrib',
      'push',
      'verbatim',
      'true',
    ]
    peer.send(...types.map(type => `DEBUG PROTOCOL ${type}`), 'PING')
    const text = await peer.receive(/\+PONG\r\n$/)
    for (const begin of ['$', ':', ',', '(', '_', '*', '~', '%', '|', '>', '=', '#']) expect(text).toContain(begin)
    await expectPaired(peer)
  })

  test('holds after errors, blocking commands and empty lines', async () => {
    const peer = await open()
    peer.send('NOPE', '', 'GET', `BLPOP ${keys.key('q')} 0.05`, '', 'PING')
    await peer.receive(/\+PONG\r\n$/)
    await expectPaired(peer)
  })

  test('holds when CLIENT REPLY silences the server', async () => {
    const peer = await open()
    peer.send('CLIENT REPLY SKIP', 'ECHO skipped', 'ECHO heard')
    await peer.receive(/heard\r\n$/)
    await expectPaired(peer)
    peer.send('CLIENT REPLY OFF', 'ECHO no', 'CLIENT REPLY SKIP', 'ECHO no', 'CLIENT REPLY ON')
    expect(await peer.receive(/\+OK\r\n$/)).toBe('+OK\r\n')
    await expectPaired(peer)
  })
})

describe('transactions', () => {
  test('losing the reply of a queued command loses the reply of EXEC, after it has run', async () => {
    const peer = await open()
    const lost = proxy.add({ match: { command: 'incr' }, action: { kind: 'drop-reply', then: 'silence' } })
    peer.send('MULTI', `INCR ${keys.key('n')}`, 'ECHO x')
    expect(await peer.receive(/(\+QUEUED\r\n){2}$/)).toBe('+OK\r\n+QUEUED\r\n+QUEUED\r\n')
    expect(lost.fired).toBe(0)
    peer.send('EXEC')
    await expect.poll(() => lost.fired).toBe(1)
    expect(await direct.get(keys.key('n'))).toBe('1')
  })

  test('a discarded or broken transaction answers for nothing', async () => {
    const peer = await open()
    const rule = proxy.add({ match: { command: 'incr', direction: 'reply' }, action: { kind: 'delay', ms: 1 } })
    peer.send('MULTI', `INCR ${keys.key('n')}`, 'DISCARD', 'EXEC', 'PING')
    await peer.receive(/\+PONG\r\n$/)
    expect(rule.fired).toBe(0)
    peer.send('MULTI', `INCR ${keys.key('n')}`, 'NOPE', 'EXEC', 'PING')
    const text = await peer.receive(/\+PONG\r\n$/)
    expect(text).toContain('EXECABORT')
    await expectPaired(peer)
    peer.send(`INCR ${keys.key('n')}`)
    expect(await peer.receive(/:1\r\n$/)).toBe(':1\r\n')
  })

  test('an error in the place of a queued command is that command’s', async () => {
    const peer = await open()
    proxy.add({ match: { command: 'incr' }, action: { kind: 'error', message: 'OOM no memory' } })
    peer.send('MULTI', `INCR ${keys.key('n')}`, 'ECHO x', 'EXEC', 'PING')
    const text = await peer.receive(/\+PONG\r\n$/)
    expect(text).toBe('+OK\r\n-OOM no memory\r\n+QUEUED\r\n*1\r\n$1\r\nx\r\n+PONG\r\n')
  })
})

describe('pub/sub', () => {
  test('RESP2: confirmations, messages and replies are told apart', async () => {
    const peer = await open()
    const channels = ['a', 'b', 'c'].map(name => keys.key(name))
    peer.send(`SUBSCRIBE ${channels.join(' ')}`, `PSUBSCRIBE ${keys.key('a').slice(0, -1)}*`, 'PING')
    await peer.receive(/pong\r\n\$0\r\n\r\n$/)
    const messages = proxy.add({
      match: { command: 'pmessage', nth: 2, direction: 'reply' },
      action: { kind: 'corrupt', at: 8 },
    })
    for (const channel of channels) await direct.publish(channel, 'hello')
    const text = await peer.receive(
      new RegExp(`pmessage[\\s\\S]*${keys.key('c')}[\\s\\S]*${keys.key('c')}\r\n\\$5\r\nhello\r\n$`),
    )
    expect(text.match(/\$7\r\nmessage/g)).toHaveLength(3)
    expect(text.match(/\$8\r\npmessage/g)).toHaveLength(2)
    expect(messages.fired).toBe(1)
    peer.send(`UNSUBSCRIBE ${channels[0]}`, 'UNSUBSCRIBE', 'PUNSUBSCRIBE', 'PUNSUBSCRIBE', 'PING')
    await peer.receive(/\+PONG\r\n$/)
    expect(proxy.log().filter(line => line.answeredMs === undefined)).toEqual([])
    await expectPaired(peer)
  })

  test.each([2, 3] as const)(
    'RESP%s: an UNSUBSCRIBE of everything is answered once for each channel',
    async protocol => {
      const peer = await open()
      peer.send(`HELLO ${protocol}`)
      await peer.receive(/modules[\s\S]*\r\n$/)
      peer.send('SUBSCRIBE aa bb cc', 'UNSUBSCRIBE aa', 'PING')
      await peer.receive(/pong/i)
      const rule = proxy.add({ match: { command: 'unsubscribe', nth: 2 }, action: { kind: 'corrupt', at: 9 } })
      peer.send('UNSUBSCRIBE', 'UNSUBSCRIBE', 'PING')
      const text = await peer.receive(/PONG\r\n$/)
      const kinds = [...text.matchAll(/\$11\r\n([\s\S]{11})\r\n/g)].map(match => match[1] === 'unsubscribe')
      expect(kinds).toEqual([true, true, false])
      expect(rule.fired).toBe(1)
    },
  )

  test('RESP3: a subscriber’s own commands are paired among its messages', async () => {
    const peer = await open()
    peer.send('HELLO 3')
    await peer.receive(/modules[\s\S]*\r\n$/)
    peer.send(`SUBSCRIBE ${keys.key('a')} ${keys.key('b')}`, 'PING')
    await peer.receive(/\+PONG\r\n$/)
    for (let round = 0; round < 20; round++) peer.send(`PUBLISH ${keys.key('a')} hello`)
    await expectPaired({ ...peer, receive: async pattern => dropPushes(await peer.receive(pattern)) })
    peer.send('UNSUBSCRIBE', 'UNSUBSCRIBE', 'PING')
    await peer.receive(/\+PONG\r\n$/)
    await expectPaired(peer)
  })

  // Messages and the counts of PUBLISH.
  const dropPushes = (text: string): string =>
    text.replaceAll(/>3\r\n\$7\r\nmessage\r\n\$\d+\r\n\S+\r\n\$5\r\nhello\r\n/g, '').replaceAll(/:1\r\n/g, '')

  test('a refused subscription has one reply for all its channels', async () => {
    await direct.call('ACL', 'SETUSER', 'nosub', 'on', 'nopass', '~*', 'resetchannels', '+@all')
    const peer = await open()
    peer.send('AUTH nosub any', 'SUBSCRIBE a b c', 'PING')
    expect(await peer.receive(/\+PONG\r\n$/)).toContain('NOPERM')
    await expectPaired(peer)
  })

  test('losing a subscription’s confirmation leaves the server subscribed', async () => {
    const peer = await open()
    proxy.dropReply({ match: { command: 'subscribe' }, then: 'silence' })
    peer.send(`SUBSCRIBE ${keys.key('x')}`)
    await expect.poll(() => direct.pubsub('NUMSUB', keys.key('x'))).toEqual([keys.key('x'), 1])
  })
})

describe('streams that are no requests and replies', () => {
  test('MONITOR lines answer nothing', async () => {
    const peer = await open()
    peer.send('MONITOR')
    await peer.receive(/\+OK\r\n$/)
    for (let round = 0; round < 5; round++) await direct.echo(`seen ${round}`)
    await peer.receive(/seen 4/)
    const withoutLines = (text: string): string => text.replaceAll(/\+\d+\.\d+ \[.*\r\n/g, '')
    await expectPaired({ ...peer, receive: async pattern => withoutLines(await peer.receive(pattern)) })
    peer.send('RESET', 'PING')
    await peer.receive(/\+PONG\r\n$/)
    await expectPaired(peer)
  })

  test('a replica can copy its master through the proxy, and be cut off', async () => {
    await direct.set(keys.key('copied'), 'x'.repeat(100_000))
    await using replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(proxy.port)] })
    const reader = replica.client()
    await whenReady(reader, { timeoutMs: 10_000 })
    await expect.poll(() => reader.strlen(keys.key('copied')), { timeout: 20_000 }).toBe(100_000)
    await direct.set(keys.key('later'), 'value')
    await expect.poll(() => reader.get(keys.key('later'))).toBe('value')
    proxy.hold()
    await direct.set(keys.key('held'), 'value')
    await new Promise(resolve => setTimeout(resolve, 100))
    expect(await reader.get(keys.key('held'))).toBeNull()
    proxy.release()
    await expect.poll(() => reader.get(keys.key('held'))).toBe('value')
  })

  test('a copy that the master keeps on disk passes as well', async () => {
    // Such a copy has no line end behind it, and this master says nothing more.
    await using master = await startRedis({
      args: ['--repl-diskless-sync', 'no', '--repl-ping-replica-period', '3600'],
    })
    await using front = await startFaultProxy(master)
    await using replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(front.port)] })
    const reader = replica.client()
    await whenReady(reader, { timeoutMs: 10_000 })
    await expect.poll(() => reader.info('replication'), { timeout: 20_000 }).toContain('master_link_status:up')
  })

  test('what is no RESP goes through to the server, which refuses it', async () => {
    const peer = await open()
    peer.send('*1', 'hello')
    expect(await peer.receive(/\r\n$/)).toMatch(/^-ERR Protocol error/)
  })
})
