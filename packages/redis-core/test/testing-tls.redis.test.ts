import { readdir, stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'

import type { Redis } from 'ioredis'
import { beforeAll, describe, expect, test } from 'vitest'

import { connectRedis, parseRedisUrl, whenReady } from '../src/index.ts'
import type { RedisClient } from '../src/index.ts'
import { startCluster, startFaultProxy, startRedis, startSentinel } from '../src/testing/index.ts'
import type { RedisServer, ServerTls } from '../src/testing/index.ts'
import { makeServerTls } from './certificates.ts'
import { variants } from './ioredis-variants.ts'

let tls: ServerTls
beforeAll(async () => {
  tls = await makeServerTls()
})

async function readyClient(server: RedisServer): Promise<Redis> {
  const redis = server.client()
  await whenReady(redis, { timeoutMs: 10_000 })
  return redis
}

/** How a plain connection that sends PING ends: what came back, which is nothing when the server speaks TLS alone. */
function pingInPlain(port: number): Promise<string> {
  return new Promise(resolve => {
    let answer = ''
    const socket = connect({ host: '127.0.0.1', port }, () => socket.write('PING\r\n'))
    socket.on('data', chunk => (answer += String(chunk)))
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(answer))
  })
}

describe('startRedis with TLS', () => {
  test('speaks TLS alone, and its clients trust its authority', async () => {
    await using server = await startRedis({ tls })
    expect(server.url).toBe(`rediss://127.0.0.1:${server.port}`)
    expect(server.tls).toEqual({ ca: tls.caPem })
    const redis = await readyClient(server)
    expect(await redis.ping()).toBe('PONG')
    expect((redis.stream as { encrypted?: boolean }).encrypted).toBe(true)
    expect(await pingInPlain(server.port)).not.toContain('PONG')
  })

  test.each(variants)('a target with its trust connects, one without is refused: $name', async ({ connect }) => {
    await using server = await startRedis({ tls, args: ['--requirepass', 'open sesame'] })
    const target = { kind: 'standalone', host: server.host, port: server.port, password: 'open sesame' } as const
    const trusting = connect({ ...target, tls: server.tls })
    await whenReady(trusting, { timeoutMs: 10_000 })
    expect(await trusting.ping()).toBe('PONG')
    trusting.disconnect()
    const { caPem } = await makeServerTls()
    for (const distrusting of [connect(server.url), connect({ ...target, tls: { ca: caPem } })]) {
      const refused = new Promise<Error>(resolve => distrusting.once('error', resolve))
      expect((await refused).message).toMatch(/certificate|self.signed/i)
      distrusting.disconnect()
    }
  })

  test('keeps its certificates, readable by its owner alone, over a restart that drops the data', async () => {
    await using server = await startRedis({ tls, aof: 'always' })
    await (await readyClient(server)).set('key', 'value')
    await server.kill()
    await server.restart()
    expect(await (await readyClient(server)).get('key')).toBe('value')
    await server.restart({ data: 'drop' })
    expect(await (await readyClient(server)).get('key')).toBe(null)
    const files = (await readdir(server.directory)).filter(name => name.endsWith('.pem'))
    expect(files.sort()).toEqual(['tls-ca.pem', 'tls-cert.pem', 'tls-key.pem'])
    for (const file of files) expect((await stat(join(server.directory, file))).mode & 0o777).toBe(0o600)
  })

  test('replicates over TLS; a replica with TLS may follow a master without, never the other way round', async () => {
    await using master = await startRedis({ tls })
    await using replica = await startRedis({ tls, replicaOf: master })
    await (await readyClient(master)).set('key', 'value')
    const copy = await readyClient(replica)
    await expect.poll(() => copy.get('key')).toBe('value')
    await using plain = await startRedis()
    await using secured = await startRedis({ tls, replicaOf: plain })
    expect(await (await readyClient(secured)).info('replication')).toContain('master_link_status:up')
    await expect(startRedis({ replicaOf: master })).rejects.toMatchObject({ code: 'ERR_REDIS_OPTIONS' })
  })

  test.each(['certPem', 'keyPem', 'caPem'] as const)(
    'refuses a %s that is no PEM, and does not repeat it',
    async field => {
      const broken = { ...tls, [field]: 'hunter2' }
      for (const start of [startRedis, startSentinel, startCluster]) {
        const error = await start({ tls: broken }).then(
          () => undefined,
          (thrown: unknown) => thrown as Error,
        )
        expect(error).toMatchObject({ code: 'ERR_REDIS_OPTIONS' })
        expect(error?.message).toContain(`tls.${field}`)
        expect(error?.message).not.toContain('hunter2')
      }
    },
  )

  test('a key of another certificate ends in an error with the log of the server', async () => {
    const { keyPem } = await makeServerTls()
    await expect(startRedis({ tls: { ...tls, keyPem } })).rejects.toThrow(/key/i)
  })

  test('the fault proxy refuses a target whose text it cannot read', async () => {
    await using server = await startRedis({ tls })
    await expect(startFaultProxy(server)).rejects.toMatchObject({ code: 'ERR_REDIS_OPTIONS' })
  })
})

describe('groups with TLS', () => {
  /** No plain text answers anywhere, and a client that trusts the group writes and reads. */
  async function works(redis: RedisClient, servers: readonly RedisServer[]): Promise<void> {
    await whenReady(redis, { timeoutMs: 20_000 })
    await expect.poll(() => redis.set('key', 'value').catch(() => 'not yet')).toBe('OK')
    expect(await redis.get('key')).toBe('value')
    redis.disconnect()
    for (const server of servers) expect(await pingInPlain(server.port)).not.toContain('PONG')
  }

  test('Sentinel: sentinels, master and replicas speak TLS alone, also to each other', async () => {
    await using group = await startSentinel({ tls, replicas: 1, downAfterMs: 500 })
    expect(group.url).toMatch(/^rediss\+sentinel:/)
    const target = { ...parseRedisUrl(group.url), tls: group.tls }
    await works(connectRedis(target), [...group.servers, ...group.sentinels])
    const old = await group.master()
    await old.kill()
    await expect.poll(async () => (await group.master()).port, { timeout: 45_000 }).not.toBe(old.port)
    await works(connectRedis(target), [])
  }, 120_000)

  test('Cluster: every node speaks TLS alone, also on the bus', async () => {
    await using group = await startCluster({ tls, replicasPerMaster: 0 })
    expect(group.url).toMatch(/^rediss\+cluster:/)
    await works(connectRedis({ ...parseRedisUrl(group.url), tls: group.tls }), group.servers)
    const [node] = group.servers
    if (node === undefined) throw new Error('no server')
    expect(await (await readyClient(node)).config('GET', 'tls-cluster')).toEqual(['tls-cluster', 'yes'])
  })
})
