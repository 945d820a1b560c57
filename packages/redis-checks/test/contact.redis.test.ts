import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'

import { connectRedis } from '@safety/redis-core'
import type { RedisClient } from '@safety/redis-core'
import { startFaultProxy, startRedis } from '@safety/redis-core/testing'
import { Cluster, Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { describe, expect, test } from 'vitest'

import { checkRedis } from '../src/index.ts'
import { startFakeRedis, table } from './fake-redis.ts'
import { examine, examineClient, levelOf, nodeId, ready, resultOf, skipOf } from './harness.ts'

const commandCalls = (info: string): Record<string, number> =>
  Object.fromEntries(
    [...info.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm)].map(([, name = '', calls]) => [name, Number(calls)]),
  )

describe('contact', () => {
  test('a wrong password says WRONGPASS, and never shows the password [claim 20]', async () => {
    await using server = await startRedis({ args: ['--requirepass', 'right-one'] })
    const report = await examine(`redis://:hunter2-wrong@${nodeId(server)}`)
    expect(resultOf(report, 'reachable').observed).toMatch(/WRONGPASS|invalid password/)
    expect(report.complete).toBe(false)
    expect(JSON.stringify(report)).not.toContain('hunter2-wrong')
    const none = await examine(`redis://${nodeId(server)}`)
    expect(resultOf(none, 'reachable').observed).toContain('NOAUTH')
  })

  test('a lazy client stays in wait, a busy one keeps its db and mode [claim 21]', async () => {
    await using server = await startRedis({ aof: 'everysec' })
    const lazy = new Redis(server.port, { lazyConnect: true, keyPrefix: 'shop:', db: 3 })
    const report = await examineClient(lazy)
    expect(lazy.status).toBe('wait')
    expect(levelOf(report, 'persistence')).toBe('pass')
    const look = server.client()
    await ready(look)
    await look.select(3)
    expect(await look.keys('*')).toEqual(['shop:safety:redis-checks:{0}:marker'])
    lazy.disconnect()
  })

  test('the verdicts are the same for every kind of client', async () => {
    await using server = await startRedis({ aof: 'everysec' })
    const verdicts = async (redis: RedisClient): Promise<string[]> => {
      const report = await examineClient(redis)
      redis.disconnect()
      return report.results.map(({ id, level }) => `${id} ${level}`).sort()
    }
    const { port } = server
    const ended = new Redis(port, { lazyConnect: true })
    ended.disconnect()
    const subscribed = new Redis(port, { protocol: 2 })
    await subscribed.subscribe('channel')
    const expected = await verdicts(connectRedis(server.url, { profile: 'checks' }))
    const clients: [string, RedisClient][] = [
      ['RESP3', new Redis(port, { protocol: 3, lazyConnect: true })],
      ['string numbers', new Redis(port, { stringNumbers: true, lazyConnect: true })],
      ['ended', ended],
      ['subscribed', subscribed],
      ['ioredis 5', new Redis5({ port, lazyConnect: true }) as unknown as RedisClient],
    ]
    for (const [name, redis] of clients) expect([name, await verdicts(redis)]).toEqual([name, expected])
  })

  test('a silent TCP server gives a report within timeoutMs + 250 ms [claim 22]', async () => {
    const silent = createServer(() => undefined)
    await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve))
    const { port } = silent.address() as AddressInfo
    const report = await examine(`redis://127.0.0.1:${port}`, { timeoutMs: 500 })
    expect(report.durationMs).toBeLessThan(750)
    expect(resultOf(report, 'reachable')).toMatchObject({ level: 'fail' })
    expect(report.complete).toBe(false)
    silent.close()
  })

  test('a server that dies in the middle of a check gives a partial report', async () => {
    await using server = await startRedis({ aof: 'everysec' })
    await using proxy = await startFaultProxy(server)
    proxy.add({ match: { command: 'set' }, action: { kind: 'drop-request', then: 'reset' } })
    const report = await examine(proxy.url)
    expect(levelOf(report, 'persistence')).toBe('pass')
    expect(report.nodes[0]?.reachable).toBe(true)
    expect(report.complete).toBe(false)
    const lost = report.results.filter(({ level }) => level === 'unknown')
    expect(lost.length).toBeGreaterThan(0)
  })

  test('an address that is none is a finding, not an exception', async () => {
    const cluster = new Cluster([{ host: '127.0.0.1', port: 0 }], { lazyConnect: true })
    const report = await examineClient(cluster)
    expect(report).toMatchObject({ complete: false, topology: 'unknown' })
    expect(resultOf(report, 'reachable')).toMatchObject({ level: 'warn', node: '127.0.0.1:0' })
    cluster.disconnect()
  })

  test('LOADING is a verdict [claim 23]', async () => {
    await using server = await startFakeRedis(command =>
      command.startsWith('INFO')
        ? 'redis_version:7.0.15\r\nredis_mode:standalone\r\nrole:master\r\nrun_id:a\r\nloading:1\r\nloading_eta_seconds:9'
        : '-LOADING Redis is loading the dataset in memory',
    )
    const report = await examine(server.url)
    expect(resultOf(report, 'loading')).toMatchObject({
      level: 'fail',
      blocking: true,
      observed: 'loading, about 9 s left',
    })
    expect(levelOf(report, 'reachable')).toBe('pass')
  })

  test('an abort rejects with the reason [claim 24]', async () => {
    await using server = await startRedis()
    server.pause()
    const redis = connectRedis(server.url, { profile: 'checks' })
    const stop = new AbortController()
    const reason = new Error('enough')
    const running = checkRedis(redis, {
      profile: 'cache',
      signal: stop.signal,
      timeoutMs: 60_000,
      nodeTimeoutMs: 60_000,
    })
    setTimeout(() => stop.abort(reason), 50)
    await expect(running).rejects.toBe(reason)
    await expect(checkRedis(redis, { profile: 'cache', signal: stop.signal })).rejects.toBe(reason)
    server.resume()
    redis.disconnect()
  })

  test('writeProbe: false sends no write [claim 25]', async () => {
    await using server = await startRedis()
    const redis = server.client()
    await ready(redis)
    const report = await examine(server, { writeProbe: false })
    expect(await redis.dbsize()).toBe(0)
    const calls = commandCalls(await redis.info('commandstats'))
    for (const name of ['set', 'del', 'eval', 'evalsha', 'hset', 'pexpire', 'wait'])
      expect([name, calls[name]]).toEqual([name, undefined])
    expect(skipOf(report, 'wait-probe')).toBe('no-write-probe')
  })

  test('forbidden commands are never sent', async () => {
    await using server = await startFakeRedis(
      table({ PING: '+PONG', INFO: 'redis_version:7.2.0\r\nrole:master\r\nredis_mode:standalone' }),
    )
    await examine(server.url)
    const sent = server.commands.map(command => command.toUpperCase())
    expect(sent.length).toBeGreaterThan(5)
    expect(
      sent.filter(command => /^(?:CONFIG SET|DEBUG|KEYS|MONITOR|SAVE|BGSAVE|FAILOVER|FLUSH)/.test(command)),
    ).toEqual([])
    expect(
      sent.filter(command => command.startsWith('CONFIG GET') && /\*|REQUIREPASS|MASTERAUTH/.test(command)),
    ).toEqual([])
  })

  test('probe keys are gone afterwards, and the marker has a TTL [claim 26]', async () => {
    await using server = await startRedis()
    await examine(server, { expect: { recordTtlMs: 100_000_000 } })
    const redis = server.client()
    await ready(redis)
    expect(await redis.keys('*')).toEqual(['safety:redis-checks:{0}:marker'])
    const ttl = await redis.pttl('safety:redis-checks:{0}:marker')
    expect(ttl).toBeGreaterThan(99_000_000)
    expect(ttl).toBeLessThanOrEqual(100_000_000)
  })

  test('with an earlier report a replaced marker, one that is behind and a restart fail data-loss', async () => {
    await using server = await startRedis({ aof: 'everysec' })
    const only = ['data-loss']
    const first = await examine(server, { only })
    expect(skipOf(first, 'data-loss')).toBe('no-earlier-report')
    expect(levelOf(await examine(server, { only, previous: first }), 'data-loss')).toBe('pass')
    const ahead = {
      ...first,
      nodes: first.nodes.map(node => ({ ...node, marker: node.marker && { ...node.marker, seq: 99 } })),
    }
    const behind = await examine(server, { only, previous: ahead })
    expect(resultOf(behind, 'data-loss')).toMatchObject({ level: 'fail', data: { signal: 'marker-behind' } })
    const redis = server.client()
    await ready(redis)
    await redis.flushall()
    const replaced = await examine(server, { only, previous: first })
    expect(resultOf(replaced, 'data-loss')).toMatchObject({ level: 'fail', data: { signal: 'marker-replaced' } })
    const strict = { only, profile: 'idempotency.strict' } as const
    const before = await examine(server, strict)
    await server.kill()
    await server.restart()
    const restarted = await examine(server, { ...strict, previous: before })
    expect(resultOf(restarted, 'data-loss')).toMatchObject({ level: 'fail', data: { signal: 'restarted' } })
    expect(levelOf(await examine(server, { only, previous: before }), 'data-loss')).toBe('pass')
  })

  test('SCRIPT FLUSH in the middle of runs changes nothing [claim 27]', async () => {
    await using server = await startRedis({ aof: 'everysec' })
    const redis = server.client()
    await ready(redis)
    const calm = await examine(server)
    const stop = new AbortController()
    const flushing = (async () => {
      while (!stop.signal.aborted) {
        await redis.script('FLUSH')
        await new Promise(resolve => setTimeout(resolve, 1))
      }
    })()
    const reports = []
    for (let run = 0; run < 5; run++) reports.push(await examine(server))
    stop.abort()
    await flushing
    for (const report of reports) expect(levelOf(report, 'script-commands')).toBe('pass')
    const expected = calm.results.filter(({ group }) => group === 'access').map(({ id, level }) => [id, level])
    const last = reports.at(-1)
    expect(last?.results.filter(({ group }) => group === 'access').map(({ id, level }) => [id, level])).toEqual(
      expected,
    )
    expect(last?.nodes[0]?.marker?.seq).toBe(6)
  })
})
