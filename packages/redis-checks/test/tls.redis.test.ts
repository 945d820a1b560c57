import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { connectRedis, parseRedisUrl } from '@safety/redis-core'
import type { ConnectTarget } from '@safety/redis-core'
import { startCluster, startRedis, startSentinel } from '@safety/redis-core/testing'
import type { RedisServer, ServerTls } from '@safety/redis-core/testing'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { runCli } from '../src/cli/run-cli.ts'
import type { RedisClient, Report } from '../src/index.ts'
import { makeServerTls } from './certificates.ts'
import { awaitOnline, examineClient, levelOf, nodeId, resultOf } from './harness.ts'
import type { Options } from './harness.ts'

const NO_HANDSHAKE = /no TLS handshake|One side may speak TLS and the other not/
const HANGS_UP = /A port that speaks TLS alone does so|One side may speak TLS and the other not/

let tls: ServerTls
let other: ServerTls
let server: RedisServer
let folder: string
let caFile: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'redis-checks-tls-'))
  caFile = join(folder, 'ca.pem')
  ;[tls, other] = await Promise.all([makeServerTls(), makeServerTls()])
  await writeFile(caFile, tls.caPem)
  server = await startRedis({ tls, aof: 'everysec' })
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

async function examineTarget(target: string | ConnectTarget, options: Options = {}): Promise<Report> {
  const redis = connectRedis(target, { profile: 'checks' })
  try {
    return await examineClient(redis, options)
  } finally {
    redis.disconnect()
  }
}

const at = ({ host, port }: { host: string; port: number }, trust: ConnectTarget['tls']): ConnectTarget => ({
  kind: 'standalone',
  host,
  port,
  ...(trust === undefined ? {} : { tls: trust }),
})

/** Runs the doctor in this process. */
async function doctor(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  let stdout = ''
  let stderr = ''
  const code = await runCli(['doctor', '--timeout-ms', '3000', ...args], {
    print: async text => void (stdout += text),
    error: text => void (stderr += text),
    env: {},
    color: false,
    signal: new AbortController().signal,
  })
  return { code, stdout, stderr }
}

describe('over TLS', () => {
  test('the checks give the verdicts they give without it', async () => {
    await using plain = await startRedis({ aof: 'everysec' })
    const levels = ({ results }: Report): string[] => results.map(({ id, level }) => `${id} ${level}`).sort()
    const report = await examineTarget(at(server, server.tls))
    expect(report).toMatchObject({ complete: true, topology: 'standalone' })
    expect(report.nodes).toMatchObject([{ id: nodeId(server), reachable: true, role: 'master' }])
    expect(report.nodes[0]?.marker).not.toBe(null)
    expect(levels(report)).toEqual(levels(await examineTarget(plain.url)))
  })

  test("an application's own client keeps its trust, on ioredis 6 and 5", async () => {
    const options = { host: '127.0.0.1', port: server.port, tls: { ca: tls.caPem }, lazyConnect: true }
    for (const redis of [new Redis(options), new Redis5(options) as unknown as RedisClient]) {
      expect(levelOf(await examineClient(redis), 'persistence')).toBe('pass')
      redis.disconnect()
    }
  })

  test('a master and its replica are read, each over TLS', async () => {
    await using replica = await startRedis({ tls, replicaOf: server, aof: 'everysec' })
    await awaitOnline(server)
    const report = await examineTarget(at(server, server.tls))
    expect(report.topology).toBe('replication')
    expect(report.nodes.map(({ id, reachable }) => [id, reachable])).toEqual([
      [nodeId(server), true],
      [nodeId(replica), true],
    ])
  })

  test('Sentinel: sentinels, master and replica are read', async () => {
    await using group = await startSentinel({ tls, replicas: 1 })
    const report = await examineTarget({ ...parseRedisUrl(group.url), tls: group.tls })
    expect(report.nodes.filter(({ reachable }) => reachable)).toHaveLength(5)
    for (const id of ['role', 'sentinel-agreement', 'node-coverage'])
      expect([id, levelOf(report, id)]).toEqual([id, 'pass'])
  })

  test('Cluster: every node is read', async () => {
    await using group = await startCluster({ tls, replicasPerMaster: 0 })
    const report = await examineTarget({ ...parseRedisUrl(group.url), tls: group.tls })
    expect(report.topology).toBe('cluster')
    expect(report.nodes.filter(({ reachable }) => reachable)).toHaveLength(3)
    for (const id of ['role', 'node-coverage']) expect([id, levelOf(report, id)]).toEqual([id, 'pass'])
  })
})

describe('a TLS connection that cannot be', () => {
  /** What `reachable` says; the report is there, and not complete. */
  async function refusal(
    target: string | ConnectTarget,
  ): Promise<{ observed: string; message: string; remedy: string }> {
    const report = await examineTarget(target, { nodeTimeoutMs: 1000 })
    expect(report.complete).toBe(false)
    const { level, observed, message, remedy } = resultOf(report, 'reachable')
    expect(level).toBe('fail')
    return { observed, message, remedy: remedy.text }
  }

  test('an authority that did not sign the certificate is named as the reason', async () => {
    for (const target of [at(server, { ca: other.caPem }), server.url]) {
      const { observed, message, remedy } = await refusal(target)
      expect(observed).toMatch(/certificate/)
      expect(message).toContain('nobody this client trusts')
      expect(remedy).toContain('--tls-ca')
    }
  })

  test('a certificate for another address, and one that has ended, are named', async () => {
    const [elsewhere, ended] = await Promise.all([makeServerTls({ ip: '127.0.0.2' }), makeServerTls({ expired: true })])
    await using foreign = await startRedis({ tls: elsewhere })
    const named = await refusal(at(foreign, foreign.tls))
    expect(named.observed).toContain('127.0.0.2')
    expect(named.message).toContain('for another name')
    await using old = await startRedis({ tls: ended })
    const past = await refusal(at(old, old.tls))
    expect(past.observed).toContain('expired')
    expect(past.message).toContain('not valid at this time')
  })

  test('TLS against a port that speaks plain text says that there was no handshake', async () => {
    await using plain = await startRedis()
    // Redis waits for the end of a line that never comes, until the time is up.
    const silent = await refusal(at(plain, server.tls))
    expect(silent.message).toMatch(NO_HANDSHAKE)
    expect(silent.remedy).toContain('redis://')
    // A server that answers it at once with plain text is known by its answer.
    const loud = createServer(socket => {
      socket.on('error', () => undefined)
      socket.on('data', () => socket.end('-ERR unknown command\r\n'))
    })
    await new Promise<void>(resolve => loud.listen(0, '127.0.0.1', resolve))
    const { port } = loud.address() as AddressInfo
    expect((await refusal(at({ host: '127.0.0.1', port }, server.tls))).message).toContain('no TLS handshake')
    loud.close()
  })

  test('plain text against a port that speaks TLS says that TLS may be missing', async () => {
    const { message, remedy } = await refusal(`redis://${nodeId(server)}`)
    expect(message).toMatch(HANGS_UP)
    expect(remedy).toContain('rediss://')
  })

  test('what is no matter of TLS is not blamed on it', async () => {
    const { observed, message } = await refusal('redis://127.0.0.1:1')
    expect(observed).toContain('ECONNREFUSED')
    expect(message).toBe('The node does not answer.')
  })
})

describe('the doctor over TLS', () => {
  test('--tls-ca trusts an authority and turns TLS on, for rediss and for redis', async () => {
    for (const scheme of ['rediss', 'redis']) {
      const { code, stdout, stderr } = await doctor(`${scheme}://${nodeId(server)}`, '--tls-ca', caFile)
      expect([code, stderr]).toEqual([0, ''])
      expect(stdout).toContain('no guarantee is broken')
    }
  })

  test('exit 3 with the true reason: wrong authority, TLS against plain, plain against TLS', async () => {
    const wrong = join(folder, 'wrong.pem')
    await writeFile(wrong, other.caPem)
    await using plain = await startRedis()
    const cases: [string[], RegExp][] = [
      [[server.url, '--tls-ca', wrong], /nobody this client trusts/],
      [[server.url], /nobody this client trusts/],
      [[`rediss://${nodeId(plain)}`], NO_HANDSHAKE],
      [[`redis://${nodeId(plain)}`, '--tls-ca', caFile], NO_HANDSHAKE],
      [[`redis://${nodeId(server)}`], HANGS_UP],
    ]
    for (const [args, reason] of cases) {
      const { code, stdout, stderr } = await doctor(...args)
      expect([args[0], code, stderr]).toEqual([args[0], 3, ''])
      expect(stdout).toMatch(reason)
      expect(stdout).not.toContain('BEGIN CERTIFICATE')
    }
  })

  test('a file of --tls-ca that cannot be read is exit 2, before any contact', async () => {
    const { code, stderr } = await doctor(server.url, '--tls-ca', join(folder, 'missing.pem'))
    expect(code).toBe(2)
    expect(stderr).toMatch(/--tls-ca: ENOENT/)
  })
})
