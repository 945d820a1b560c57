import { connectRedis } from '@safety/redis-core'
import { createManualClock, startFaultProxy, startRedis, startSentinel } from '@safety/redis-core/testing'
import type { ManualClock, RedisServer } from '@safety/redis-core/testing'
import { describe, expect, test } from 'vitest'

import { watchRedis } from '../src/index.ts'
import type { RedisChecksEvent, RedisWatch, WatchOptions } from '../src/index.ts'
import { configure, levelOf, ready, until } from './harness.ts'

interface Watched extends AsyncDisposable {
  readonly watch: RedisWatch
  readonly clock: ManualClock
  readonly events: RedisChecksEvent[]
  /** Lets the clock run and waits for the run this starts. */
  run(ms: number): Promise<void>
  typesOf(): string[]
}

/** A watch on a manual clock, after its first run. */
async function watched(url: string, options: Partial<WatchOptions> = {}): Promise<Watched> {
  const clock = createManualClock({ startMs: Date.now() })
  const events: RedisChecksEvent[] = []
  const redis = connectRedis(url, { profile: 'checks' })
  const watch = watchRedis(redis, {
    profile: 'idempotency.standard',
    clientRole: 'none',
    clock,
    random: { float: () => 0.5, bytes: length => new Uint8Array(length) },
    onEvent: event => void events.push(event),
    ...options,
  })
  const checked = (): number => events.filter(({ type }) => type === 'checked').length
  await until(() => checked() === 1)
  return {
    watch,
    clock,
    events,
    async run(ms) {
      const before = checked()
      await clock.advance(ms)
      await until(() => checked() > before)
    },
    typesOf: () => events.map(({ type }) => type),
    async [Symbol.asyncDispose]() {
      await watch[Symbol.asyncDispose]()
      redis.disconnect()
    },
  }
}

async function restart(server: RedisServer, data: 'keep' | 'drop'): Promise<void> {
  await server.restart({ data })
}

/** The count of one ACL LOG entry, which is a list of names and values, or an object. */
function countIn(entry: unknown): number {
  if (!Array.isArray(entry)) return Number((entry as { count: unknown }).count)
  return Number(entry[entry.indexOf('count') + 1])
}

describe('the watch', () => {
  test('a fast run is one pipeline per node on one kept connection, and no write [claim 38]', async () => {
    await using server = await startRedis({ aof: 'everysec' })
    await using proxy = await startFaultProxy(server)
    await using it = await watched(proxy.url)
    const redis = server.client()
    await ready(redis)
    await redis.config('RESETSTAT')
    const connections = proxy.connections
    await it.run(30_000)
    expect(it.events.filter(event => event.type === 'checked').at(-1)).toMatchObject({ fast: true })
    expect(proxy.connections).toBe(connections)
    const calls = (await redis.info('commandstats')).match(/^cmdstat_[^:]+:calls=\d+/gm) ?? []
    const own = calls
      .map(line => line.replace('cmdstat_', '').replace('calls=', ''))
      .filter(line => !/^(?:config|info)/.test(line))
    expect(own.sort()).toEqual(['hello:1', 'hgetall:1', 'ping:1', 'role:1'])
  })

  test('worse shows at once, better after two good runs [claim 39]', async () => {
    await using server = await startRedis({ aof: 'everysec', args: ['--maxmemory', '100mb'] })
    await using it = await watched(server.url)
    const level = (): string => (it.watch.report === null ? '-' : levelOf(it.watch.report, 'memory-headroom'))
    expect(level()).toBe('pass')
    await configure(server, { maxmemory: '1mb' })
    await it.run(30_000)
    expect(level()).toBe('fail')
    expect(it.watch.ready().degraded).toContain('memory-headroom')
    await configure(server, { maxmemory: '100mb' })
    await it.run(30_000)
    expect(level()).toBe('fail')
    await it.run(30_000)
    expect(level()).toBe('pass')
    const changes = it.events.filter(event => event.type === 'changed' && event.id === 'memory-headroom')
    expect(changes).toMatchObject([
      { from: 'pass', to: 'fail' },
      { from: 'fail', to: 'pass' },
    ])
  })

  test('a restart without persistence starts a hold-off for leaseMs, which ends [claim 40]', async () => {
    await using server = await startRedis()
    await using it = await watched(server.url, { expect: { leaseMs: 45_000 } })
    expect(it.watch.holdOff()).toBe(null)
    await restart(server, 'drop')
    await it.run(30_000)
    // The server is another one: the fast run is followed by a full one, which extends the hold-off.
    await it.run(5000)
    const held = it.watch.holdOff()
    expect(held?.untilMs).toBe(it.clock.now() + 45_000)
    expect(it.watch.report === null ? '-' : levelOf(it.watch.report, 'data-loss')).toBe('fail')
    expect(it.watch.ready().degraded).toContain('hold-off')
    await until(() => it.typesOf().includes('hold-off-started') && it.typesOf().includes('data-loss-suspected'))
    await it.run(46_000)
    expect(it.watch.holdOff()).toBe(null)
    await until(() => it.typesOf().includes('hold-off-ended'))
    await it.watch.recheck()
    await it.watch.recheck()
    expect(it.watch.report === null ? '-' : levelOf(it.watch.report, 'data-loss')).toBe('info')
  })

  test('a restart with AOF always and an intact marker starts none, also in strict [claim 41]', async () => {
    await using server = await startRedis({ aof: 'always' })
    await using it = await watched(server.url, { profile: 'idempotency.strict', holdOffMs: 1 })
    await it.clock.advance(10)
    await server.kill()
    await server.restart()
    await it.run(30_000)
    await it.run(5000)
    await it.watch.recheck()
    expect(it.typesOf()).not.toContain('data-loss-suspected')
    expect(it.watch.holdOff()).toBe(null)
  })

  test('FLUSHALL is seen by the next fast run, by the marker that is gone', async () => {
    await using server = await startRedis({ aof: 'everysec' })
    await using it = await watched(server.url)
    const redis = server.client()
    await ready(redis)
    await redis.flushall()
    await it.run(30_000)
    await until(() => it.typesOf().includes('data-loss-suspected'))
    expect(it.events.find(({ type }) => type === 'data-loss-suspected')).toMatchObject({ signal: 'marker-gone' })
    expect(it.watch.holdOff()?.reason).toContain('every record')
  })

  test('a new process in strict waits until the marker is older than the hold-off, once', async () => {
    await using server = await startRedis({ aof: 'always' })
    await using first = await watched(server.url, { profile: 'idempotency.strict', holdOffMs: 60_000 })
    expect(first.watch.holdOff()).not.toBe(null)
    await using second = await watched(server.url, { profile: 'idempotency.strict', holdOffMs: 1 })
    expect(second.watch.holdOff()).toBe(null)
    await using standard = await watched(server.url, { holdOffMs: 60_000 })
    expect(standard.watch.holdOff()).toBe(null)
  })

  test('a command that was refused is not sent again, and stays reported as refused', async () => {
    await using server = await startRedis({ aof: 'everysec' })
    const admin = server.client()
    await ready(admin)
    await admin.call('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '+@all', '-info', '-config', '-acl')
    await using it = await watched(`redis://app:secret@127.0.0.1:${server.port}`)
    const entries = async (): Promise<number> => {
      const log = (await admin.call('ACL', 'LOG')) as unknown[]
      return log.reduce<number>((sum, entry) => sum + countIn(entry), 0)
    }
    expect(await entries()).toBe(3)
    await it.watch.recheck()
    await it.run(30_000)
    expect(await entries()).toBe(3)
    const refused = it.watch.report?.results.find(({ id }) => id === 'optional-reads')
    expect(refused).toMatchObject({ level: 'info', observed: 'refused: INFO, CONFIG GET, ACL' })
  })

  test('a failover triggers a full run [claim 42]', async () => {
    await using group = await startSentinel({ replicas: 1, downAfterMs: 500 })
    const redis = connectRedis(group.url)
    await ready(redis)
    const events: RedisChecksEvent[] = []
    const options: WatchOptions = { profile: 'idempotency.standard', clientRole: 'none', fastIntervalMs: 3_600_000 }
    await using watch = watchRedis(redis, { ...options, onEvent: event => void events.push(event) })
    const full = (): number => events.filter(event => event.type === 'checked' && !event.fast).length
    await until(() => full() === 1)
    await (await group.master()).kill()
    await until(() => full() >= 2, 40_000)
    await until(async () => {
      const report = await watch.recheck()
      return report.results.some(({ id, level }) => id === 'role' && level === 'pass')
    }, 40_000)
    redis.disconnect()
  })

  test('an error that says that Redis changed triggers one run for many, another error none', async () => {
    await using server = await startRedis({ aof: 'everysec' })
    await using it = await watched(server.url)
    const runs = (): number => it.typesOf().filter(type => type === 'checked').length
    it.watch.noteError(new Error('WRONGTYPE Operation against a key'))
    it.watch.noteError(undefined)
    it.watch.noteError({
      get message() {
        throw new Error('hostile')
      },
    })
    await it.clock.advance(1000)
    expect(runs()).toBe(1)
    for (let count = 0; count < 20; count++) {
      it.watch.noteError(
        new Error('wrapped', { cause: new Error("READONLY You can't write against a read only replica.") }),
      )
    }
    await it.run(250)
    expect(runs()).toBe(2)
    // The last is never lost: it runs when the next may.
    it.watch.noteError(new Error('LOADING Redis is loading the dataset in memory'))
    await it.clock.advance(4000)
    expect(runs()).toBe(2)
    await it.run(1000)
    expect(runs()).toBe(3)
  })

  test('readiness is starting before the first report, degraded when Redis is away, stale when runs stop', async () => {
    await using server = await startRedis({ aof: 'everysec' })
    const redis = connectRedis(server.url, { profile: 'checks' })
    const clock = createManualClock({ startMs: Date.now() })
    const watch = watchRedis(redis, { profile: 'breaker', clientRole: 'none', clock })
    expect(watch.ready()).toMatchObject({ status: 'starting', httpStatus: 503, ageMs: null })
    await watch.recheck()
    expect(watch.ready()).toMatchObject({ status: 'ready', httpStatus: 200, blocking: [], stale: false })
    await server.kill()
    const away = await watch.recheck()
    expect(away.complete).toBe(false)
    expect(watch.ready()).toMatchObject({ status: 'degraded', httpStatus: 200 })
    await watch[Symbol.asyncDispose]()
    await clock.advance(91_000)
    expect(watch.ready()).toMatchObject({ stale: true })
    redis.disconnect()
  })

  test('the metric shows the worst level of each check, and a name that is taken is left alone', async () => {
    await using server = await startRedis()
    interface Metric {
      get(): Promise<{ values: { value: number; labels: { check: string } }[] }>
    }
    const metrics: Metric[] = []
    const registry = {
      getSingleMetric: () => metrics[0],
      registerMetric: (metric: Metric) => void metrics.push(metric),
    }
    await using it = await watched(server.url, { registry })
    await using other = await watched(server.url, { registry })
    expect(metrics).toHaveLength(1)
    const { values } = (await metrics[0]?.get()) ?? { values: [] }
    expect(values).toContainEqual({ value: 4, labels: { check: 'persistence' } })
    expect(values).toContainEqual({ value: 0, labels: { check: 'role' } })
    expect([it, other].every(({ watch }) => watch.report !== null)).toBe(true)
  })

  test('recheck rejects with the reason of its signal and leaves the run alone', async () => {
    await using server = await startRedis({ aof: 'everysec' })
    await using it = await watched(server.url)
    const reason = new Error('enough')
    await expect(it.watch.recheck({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect((await it.watch.recheck()).complete).toBe(true)
  })

  test('dispose leaves no timer, listener or socket [claim 43]', async () => {
    await using server = await startRedis({ aof: 'everysec' })
    await using proxy = await startFaultProxy(server)
    const redis = connectRedis(proxy.url)
    await ready(redis)
    const names = redis.eventNames()
    const counts = (): number[] => names.map(name => redis.listenerCount(name))
    const before = counts()
    const clock = createManualClock({ startMs: Date.now() })
    const watch = watchRedis(redis, { profile: 'idempotency.standard', clock })
    await watch.recheck()
    watch.noteError(new Error('READONLY'))
    expect(clock.pending).toBeGreaterThan(0)
    expect(proxy.connections).toBe(2)
    await watch[Symbol.asyncDispose]()
    expect(clock.pending).toBe(0)
    expect(counts()).toEqual(before)
    await until(() => proxy.connections === 1)
    redis.disconnect()
  })
})
