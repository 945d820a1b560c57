import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { whenReady } from '../src/index.ts'
import { resolveRedisServer, startRedis, testKeyspace, type RedisServer } from '../src/testing/index.ts'
import { PortTakenError, startProcess } from '../src/testing/redis-process.ts'

async function readyClient(server: RedisServer): Promise<Redis> {
  const redis = server.client()
  await whenReady(redis, { timeoutMs: 10_000 })
  return redis
}

async function readSetting(redis: Redis, name: string): Promise<string> {
  const reply = await redis.config('GET', name)
  return reply[1] ?? ''
}

async function readRunId(redis: Redis): Promise<string> {
  return /run_id:([0-9a-f]{40})/.exec(await redis.info('server'))?.[1] ?? ''
}

function refusesConnections(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('connect', () => resolve(false))
    socket.once('error', () => resolve(true))
    socket.once('close', () => socket.destroy())
  })
}

describe('startRedis', () => {
  test('listens on loopback only, in its own folder, without persistence', async () => {
    await using server = await startRedis()
    const redis = await readyClient(server)
    expect(await readSetting(redis, 'bind')).toBe('127.0.0.1')
    expect(await readSetting(redis, 'dir')).toBe(server.directory)
    expect(await readSetting(redis, 'save')).toBe('')
    expect(await readSetting(redis, 'appendonly')).toBe('no')
    expect(await redis.info('server')).toContain(`process_id:${server.pid}\r\n`)
    expect(server.url).toBe(`redis://127.0.0.1:${server.port}`)
    expect(server.log()).toMatch(/ready to accept connections/i)
    expect((await resolveRedisServer()).version).toBe(server.version)
  })

  test.each(['always', 'everysec'] as const)('writes the append-only file as told: %s', async aof => {
    await using server = await startRedis({ aof })
    const redis = await readyClient(server)
    expect(await readSetting(redis, 'appendonly')).toBe('yes')
    expect(await readSetting(redis, 'appendfsync')).toBe(aof)
  })

  test('lets arguments win over its own settings', async () => {
    await using server = await startRedis({ args: ['--maxmemory', '10mb', '--appendonly', 'yes'] })
    const redis = await readyClient(server)
    expect(await readSetting(redis, 'maxmemory')).toBe(String(10 * 1024 * 1024))
    expect(await readSetting(redis, 'appendonly')).toBe('yes')
  })

  test('puts the password of its arguments into the url', async () => {
    await using server = await startRedis({ args: ['--requirepass', 'a b/c@d'] })
    const redis = await readyClient(server)
    expect(await redis.ping()).toBe('PONG')
    expect(new URL(server.url).password).toBe('a%20b%2Fc%40d')
  })

  test('is ready although its arguments lock everybody out', async () => {
    await using server = await startRedis({ args: ['--user', 'default', 'on', 'nopass', '~*', '&*', '-@all', '+ping'] })
    const redis = new Redis(server.url, { enableReadyCheck: false })
    await expect(redis.ping()).resolves.toBe('PONG')
    await expect(redis.get('key')).rejects.toThrow(/NOPERM/)
    redis.disconnect()
  })

  test('a replica holds the data of its master when it is handed over', async () => {
    await using master = await startRedis({ args: ['--requirepass', 'secret'] })
    const writer = await readyClient(master)
    await writer.set('key', 'value')
    await using replica = await startRedis({ replicaOf: master })
    const reader = await readyClient(replica)
    expect(await reader.get('key')).toBe('value')
    await expect(reader.set('key', 'other')).rejects.toThrow(/READONLY/)
  })

  test('reports a server that cannot start, with its own words, and leaves no folder', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'safety-start-'))
    vi.stubEnv('TMPDIR', folder)
    try {
      await expect(startRedis({ args: ['--no-such-setting', '1'] })).rejects.toMatchObject({
        code: 'ERR_REDIS_SERVER',
        retryable: false,
        message: expect.stringContaining('no-such-setting'),
      })
      expect(await readdir(folder)).toEqual([])
    } finally {
      vi.unstubAllEnvs()
      await rm(folder, { recursive: true })
    }
  })

  test('listens on another loopback address if told so, and on nothing beyond', async () => {
    await expect(startRedis({ host: '0.0.0.0' })).rejects.toMatchObject({ code: 'ERR_REDIS_OPTIONS' })
    // Only Linux has all of 127.0.0.0/8 without set-up.
    const host = process.platform === 'linux' ? '127.0.0.7' : '127.0.0.1'
    await using server = await startRedis({ host })
    const redis = await readyClient(server)
    expect(await readSetting(redis, 'bind')).toBe(host)
  })

  test('never takes a foreign server on its port for its own child', async () => {
    await using foreign = await startRedis()
    await using folder = await startRedis() // for its configuration file
    const { path } = await resolveRedisServer()
    const start = startProcess({
      path,
      directory: folder.directory,
      host: foreign.host,
      port: foreign.port,
      password: undefined,
      args: ['--port', String(foreign.port)],
      env: {},
      startTimeoutMs: 20_000,
    })
    await expect(start).rejects.toBeInstanceOf(PortTakenError)
    expect(await (await readyClient(foreign)).ping()).toBe('PONG')
  })

  test('dispose ends the process, its clients and its folder', async () => {
    const server = await startRedis({ aof: 'always' })
    const redis = await readyClient(server)
    const ended = new Promise(resolve => redis.once('end', resolve))
    await server[Symbol.asyncDispose]()
    await ended
    expect(() => process.kill(server.pid, 0)).toThrow(/ESRCH/)
    expect(existsSync(server.directory)).toBe(false)
  })
})

describe('life of a test server', () => {
  test('comes back on the same port as another process', async () => {
    await using server = await startRedis()
    const { port, pid } = server
    const runId = await readRunId(await readyClient(server))
    await server.kill()
    expect(await refusesConnections(port)).toBe(true)
    await server.restart()
    expect(server.port).toBe(port)
    expect(server.pid).not.toBe(pid)
    expect(await readRunId(await readyClient(server))).not.toBe(runId)
  })

  test('a killed server keeps what its append-only file holds, and nothing without one', async () => {
    await using kept = await startRedis({ aof: 'always' })
    await using lost = await startRedis({ aof: false })
    for (const server of [kept, lost]) {
      await (await readyClient(server)).set('key', 'value')
      await server.kill()
      await server.restart()
    }
    expect(await (await readyClient(kept)).get('key')).toBe('value')
    expect(await (await readyClient(lost)).get('key')).toBeNull()
  })

  test.each(['no', 'always'] as const)('an orderly stop loses nothing, AOF %s', async aof => {
    await using server = await startRedis({ aof })
    await (await readyClient(server)).set('key', 'value')
    await server.stop()
    expect(await refusesConnections(server.port)).toBe(true)
    await server.restart({ data: 'keep' })
    expect(await (await readyClient(server)).get('key')).toBe('value')
    await server.restart()
    expect(await (await readyClient(server)).get('key')).toBe('value')
  })

  test.each(['no', 'always'] as const)('a restart that drops the data finds nothing, AOF %s', async aof => {
    await using server = await startRedis({ aof })
    await (await readyClient(server)).set('key', 'value')
    await server.stop()
    await server.restart({ data: 'drop' })
    const redis = await readyClient(server)
    expect(await redis.dbsize()).toBe(0)
    await redis.set('key', 'value')
    await server.restart({ data: 'drop' })
    expect(await (await readyClient(server)).dbsize()).toBe(0)
    expect(await readSetting(await readyClient(server), 'appendonly')).toBe(aof === 'no' ? 'no' : 'yes')
  })

  test('a paused server keeps its connections and answers nothing until resumed', async () => {
    await using server = await startRedis()
    const redis = server.client({ profile: 'worker' })
    await redis.set('key', 'value')
    server.pause()
    let answered = false
    const reading = redis.get('key').then(value => {
      answered = true
      return value
    })
    await new Promise(resolve => setTimeout(resolve, 300))
    expect(answered).toBe(false)
    server.resume()
    expect(await reading).toBe('value')
  })

  test('a paused server can be stopped, killed and disposed of', async () => {
    await using server = await startRedis({ aof: 'always' })
    await (await readyClient(server)).set('key', 'value')
    server.pause()
    await server.stop()
    await server.restart()
    expect(await (await readyClient(server)).get('key')).toBe('value')
    server.pause()
    await server.kill()
    await server.restart()
    server.pause()
  })

  test('pausing a server that is down says so', async () => {
    await using server = await startRedis()
    await server.kill()
    expect(() => server.pause()).toThrow(expect.objectContaining({ code: 'ERR_REDIS_SERVER' }))
  })
})

describe('resolveRedisServer', () => {
  let folder: string

  const install = async (place: string, name: string, prints: string): Promise<string> => {
    await mkdir(join(folder, place), { recursive: true })
    const path = join(folder, place, name)
    await writeFile(path, `#!/bin/sh\necho '${prints}'\n`)
    await chmod(path, 0o755)
    return path
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'safety-binaries-'))
    await install('both', 'redis-server', 'Redis server v=6.2.14 sha=00000000:0 malloc=libc bits=64 build=0')
    await install('both', 'valkey-server', 'Valkey server v=8.1.3 sha=00000000:0 malloc=libc bits=64 build=0')
    await install('valkey', 'valkey-server', 'Valkey server v=8.1.3 sha=00000000:0 malloc=libc bits=64 build=0')
    await install('other', 'redis-server', 'something else entirely')
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  const on = (...places: string[]): string => places.map(place => join(folder, place)).join(':')

  test('prefers redis-server on the PATH, and takes valkey-server where there is none', async () => {
    expect(await resolveRedisServer({ env: { PATH: on('valkey', 'both') } })).toEqual({
      path: join(folder, 'both', 'redis-server'),
      version: '6.2.14',
    })
    expect(await resolveRedisServer({ env: { PATH: on('valkey') } })).toEqual({
      path: join(folder, 'valkey', 'valkey-server'),
      version: '8.1.3',
    })
  })

  test('takes the given binary before SAFETY_REDIS_SERVER, and that before the PATH', async () => {
    const env = { PATH: on('both'), SAFETY_REDIS_SERVER: join(folder, 'valkey', 'valkey-server') }
    expect((await resolveRedisServer({ env })).path).toBe(env.SAFETY_REDIS_SERVER)
    const binary = join(folder, 'both', 'redis-server')
    expect((await resolveRedisServer({ binary, env })).path).toBe(binary)
    expect((await resolveRedisServer({ binary: 'valkey-server', env })).path).toBe(
      join(folder, 'both', 'valkey-server'),
    )
  })

  test('a binary that was named and is not there is an error, never a reason to look further', async () => {
    const env = { PATH: on('both'), SAFETY_REDIS_SERVER: '/no/such/binary' }
    await expect(resolveRedisServer({ env })).rejects.toMatchObject({
      code: 'ERR_REDIS_SERVER',
      message: expect.stringMatching(/\/no\/such\/binary.*SAFETY_REDIS_SERVER/),
    })
    await expect(resolveRedisServer({ binary: folder, env: { PATH: on('both') } })).rejects.toMatchObject({
      code: 'ERR_REDIS_SERVER',
    })
  })

  test('says what to install when there is none', async () => {
    await expect(resolveRedisServer({ env: { PATH: folder } })).rejects.toMatchObject({
      code: 'ERR_REDIS_SERVER',
      retryable: false,
      outcome: 'not-run',
      message: expect.stringMatching(/apt-get install redis-server.*brew install redis/s),
    })
    await expect(startRedis({ binary: '/no/such/binary' })).rejects.toMatchObject({ code: 'ERR_REDIS_SERVER' })
  })

  test('refuses a binary that is no Redis', async () => {
    await expect(resolveRedisServer({ env: { PATH: on('other') } })).rejects.toMatchObject({ code: 'ERR_REDIS_SERVER' })
  })
})

describe('testKeyspace', () => {
  test('gives a fresh prefix at each call, under the given name', () => {
    const prefixes = Array.from({ length: 100 }, () => testKeyspace('orders').key('a'))
    expect(new Set(prefixes).size).toBe(100)
    for (const prefix of prefixes) expect(prefix).toMatch(/^orders:[0-9a-f]{16}:a$/)
    expect(testKeyspace().key('a')).toMatch(/^test:/)
  })

  test('refuses a name that is no key segment', () => {
    expect(() => testKeyspace('not a name')).toThrow(expect.objectContaining({ code: 'ERR_REDIS_KEY' }))
  })
})
