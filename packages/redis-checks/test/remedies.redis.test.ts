import { execFileSync } from 'node:child_process'

import { startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import type { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'

import type { Report } from '../src/index.ts'
import { cli } from './doctor.ts'
import { awaitOnline, configure, nodeId, ready, until } from './harness.ts'

interface Printed {
  readonly id: string
  readonly node: string
  readonly flags: readonly string[]
  readonly words: readonly string[]
}

/** A printed command as a shell reads it: where it goes, how it logs in, and what it says to Redis. */
function readPrinted(id: string, command: string): Printed {
  const [name, ...rest] = execFileSync('sh', ['-c', `printf '%s\\0' ${command}`])
    .toString()
    .split('\0')
    .slice(0, -1)
  const start = rest.findIndex(
    (word, index) => !word.startsWith('-') && !/^-(?:h|p|-user)$/.test(rest[index - 1] ?? ''),
  )
  const flags = rest.slice(0, start)
  const [host, port] = [flags[flags.indexOf('-h') + 1], flags[flags.indexOf('-p') + 1]]
  expect([id, name, flags.includes('-h'), flags.includes('-p')]).toEqual([id, 'redis-cli', true, true])
  return { id, node: `${host}:${port}`, flags: flags.slice(4), words: rest.slice(start) }
}

/** Runs the doctor, types what it prints for the worst finding, and again, until it ends in 0. */
async function follow(servers: readonly RedisServer[], args: readonly string[]): Promise<readonly Printed[]> {
  const typed: Printed[] = []
  for (let step = 0; step < 12; step++) {
    const { code, stdout } = await cli([...args, '--json'])
    const { results } = JSON.parse(stdout) as Report
    if (code === 0) {
      expect(results.filter(({ level }) => level === 'fail')).toEqual([])
      return typed
    }
    const worst = results.find(({ remedy }) => remedy.command !== undefined)
    const printed = readPrinted(worst?.id ?? '', worst?.remedy.command ?? '')
    expect(typed.map(({ id, node }) => `${id} ${node}`)).not.toContain(`${printed.id} ${printed.node}`)
    const server = servers.find(({ port }) => printed.node === `127.0.0.1:${port}`)
    const redis = server?.client() as Redis
    await ready(redis)
    await redis.call(printed.words[0] as string, ...printed.words.slice(1))
    redis.disconnect()
    typed.push(printed)
    await until(async () => (await settled(servers)).every(Boolean))
  }
  throw new Error(`not at an end after ${typed.map(({ id }) => id).join(', ')}`)
}

/** Turning the append-only file on writes a first one in the background. */
function settled(servers: readonly RedisServer[]): Promise<boolean[]> {
  return Promise.all(
    servers.map(async server => {
      const redis = server.client()
      await ready(redis)
      const info = await redis.info('persistence')
      redis.disconnect()
      return info.includes('aof_rewrite_in_progress:0') && info.includes('aof_rewrite_scheduled:0')
    }),
  )
}

// What a redis-server without a configuration file has.
const DEFAULT_SAVE = ['--save', '3600 1 300 100 60 10000']

describe('typing what it prints, one after the other, ends in exit 0', () => {
  test('on a default server: nothing is broken, and two commands end what is weakened', async () => {
    await using server = await startRedis({ args: DEFAULT_SAVE })
    expect((await cli([server.url])).code).toBe(0)
    const typed = await follow([server], [server.url, '--fail-on', 'warn'])
    expect(typed.map(({ id }) => id)).toEqual(['memory-limit', 'persistence'])
  })

  test('on a default server for idempotency.strict', async () => {
    await using server = await startRedis({ args: DEFAULT_SAVE })
    const typed = await follow([server], [server.url, '--profile', 'idempotency.strict'])
    expect(typed.map(({ id }) => id)).toEqual(['persistence', 'fsync-policy'])
  })

  test('on a server set up as a cache, too small', async () => {
    await using server = await startRedis({ args: ['--maxmemory', '2mb', '--maxmemory-policy', 'allkeys-lru'] })
    const typed = await follow([server], [server.url])
    expect(typed.map(({ id }) => id)).toEqual(['eviction-policy', 'persistence'])
    const redis = server.client()
    await ready(redis)
    await redis.set('safety:filler', 'x'.repeat(1_700_000)).catch(() => undefined)
    const full = await follow([server], [server.url])
    expect(full.map(({ id }) => id)).toContain('memory-headroom')
  })

  test('with a user of too few rights: the line is for an administrator, and holds no password', async () => {
    await using server = await startRedis({ aof: 'everysec' })
    const admin = server.client()
    await ready(admin)
    await admin.call('ACL', 'SETUSER', "shop'app", 'on', '>hunter2-secret', '~shop:*', '+get', '+ping')
    const url = `redis://${encodeURIComponent("shop'app")}:hunter2-secret@${nodeId(server)}`
    const typed = await follow([server], [url, '--expect', '{"keyPrefix":"shop:"}'])
    expect(typed.map(({ flags }) => flags)).toEqual(typed.map(() => ['--user', "shop'app", '--askpass']))
    expect(JSON.stringify(typed)).not.toContain('hunter2-secret')
  })

  test('on a master and a replica that differ: each command goes to the node it is about', async () => {
    await using master = await startRedis({ aof: 'everysec' })
    await using replica = await startRedis({ replicaOf: master, aof: 'everysec', args: ['--replica-priority', '0'] })
    await awaitOnline(master)
    await configure(replica, { 'replica-read-only': 'no', maxmemory: '100mb' })
    const typed = await follow([master, replica], [master.url, '--fail-on', 'warn'])
    const nodes = new Map(typed.map(({ id, node }) => [id, node]))
    expect([...nodes.keys()].sort()).toEqual(
      ['memory-limit', 'min-replicas', 'node-parity', 'replica-priority', 'replica-writable'].sort(),
    )
    for (const id of ['node-parity', 'replica-priority', 'replica-writable'])
      expect(nodes.get(id)).toBe(nodeId(replica))
    for (const id of ['memory-limit', 'min-replicas']) expect(nodes.get(id)).toBe(nodeId(master))
  })
})
