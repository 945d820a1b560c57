import { startRedis } from '@safety/redis-core/testing'
import { expect } from 'vitest'

import { startFakeRedis, table } from '../fake-redis.ts'
import { configure, examine, fill, ready } from '../harness.ts'
import { HEALTHY, healthyInfo } from './fakes.ts'
import { describeLevels, passOf } from './flip.ts'

describeLevels('memory', flip => {
  flip('eviction-policy', 'fail: not noeviction', async ({ levels }) => {
    await using server = await startRedis()
    for (const policy of ['volatile-lru', 'allkeys-random']) {
      await configure(server, { 'maxmemory-policy': policy })
      expect([policy, await levels(server)]).toEqual([policy, 'fail fail warn info'])
    }
    await configure(server, { 'maxmemory-policy': 'noeviction' })
    expect(await levels(server)).toBe(passOf('eviction-policy'))
  })

  flip('eviction-policy', 'unknown: not shown', async ({ levels }) => {
    const shown = { ...HEALTHY, INFO: healthyInfo(), 'CONFIG GET': ['maxmemory-policy', 'noeviction'] }
    const hidden = { ...shown, INFO: shown.INFO.replace('maxmemory_policy:noeviction', 'x:1') }
    await using empty = await startFakeRedis(table({ ...hidden, 'CONFIG GET': ['maxmemory-policy', ''] }))
    expect(await levels(empty.url, { writeProbe: false })).toBe('unknown unknown unknown unknown')
    await using full = await startFakeRedis(table(shown))
    expect(await levels(full.url, { writeProbe: false })).toBe(passOf('eviction-policy'))
  })

  flip('evictions', 'warn: some so far; fail: grew', async ({ levels }) => {
    await using server = await startRedis({ args: ['--maxmemory', '6mb', '--maxmemory-policy', 'volatile-lru'] })
    const previous = await examine(server)
    await fill(server, 'record', 2000, 10_000)
    expect(await levels(server)).toBe('warn warn warn info')
    expect(await levels(server, { previous })).toBe('fail fail warn info')
    await configure(server, { maxmemory: '1gb' })
    const redis = server.client()
    await ready(redis)
    await redis.config('RESETSTAT')
    expect(await levels(server, { previous })).toBe(passOf('evictions'))
  })

  flip('memory-limit', 'warn: maxmemory 0', async ({ levels }) => {
    await using server = await startRedis()
    expect(await levels(server)).toBe('warn warn warn info')
    await configure(server, { maxmemory: '1gb' })
    expect(await levels(server)).toBe(passOf('memory-limit'))
  })

  flip('memory-headroom', 'fail from 90 %, and below minFreeBytes', async ({ levels }) => {
    await using server = await startRedis()
    await configure(server, { maxmemory: '500kb' })
    expect(await levels(server)).toBe('fail fail warn info')
    await configure(server, { maxmemory: '1gb' })
    expect(await levels(server, { expect: { minFreeBytes: 2 ** 31 } })).toBe('fail fail warn info')
    expect(await levels(server)).toBe(passOf('memory-headroom'))
  })

  flip('memory-headroom', 'warn from 75 %; without a limit RSS of the system', async ({ levels }) => {
    let info = healthyInfo({ used_memory: 75, maxmemory: 100 })
    await using fake = await startFakeRedis(command => (command.startsWith('INFO') ? info : table(HEALTHY)(command)))
    const options = { writeProbe: false }
    expect(await levels(fake.url, options)).toBe('warn warn warn info')
    info = healthyInfo({ used_memory: 1, maxmemory: 0, used_memory_rss: 90, total_system_memory: 100 })
    expect(await levels(fake.url, options)).toBe('fail fail warn info')
    info = healthyInfo({ used_memory: 95, mem_not_counted_for_evict: 21, maxmemory: 100 })
    expect(await levels(fake.url, options)).toBe(passOf('memory-headroom'))
  })

  flip('capacity-fit', 'warn over 80 %, fail over 100 % of what is free', async ({ levels }) => {
    await using server = await startRedis({ args: ['--maxmemory', '100mb'] })
    const sized = (recordsPerSecond: number): object => ({
      expect: { recordsPerSecond, recordTtlMs: 1000, bytesPerRecord: 1024 * 1024 },
    })
    expect(await levels(server, sized(200))).toBe('fail warn info -')
    expect(await levels(server, sized(85))).toBe('warn warn info -')
    expect(await levels(server, sized(10))).toBe(passOf('capacity-fit'))
  })

  flip('out-of-memory', 'fail: the probe got OOM, or such errors grew; warn: older ones', async ({ levels }) => {
    await using server = await startRedis()
    const previous = await examine(server)
    await fill(server, 'filler', 100, 20_000, false)
    await configure(server, { maxmemory: '1mb' })
    expect(await levels(server)).toBe('fail fail fail warn')
    await configure(server, { maxmemory: '1gb' })
    expect(await levels(server, { previous })).toBe('fail fail fail warn')
    expect(await levels(server)).toBe('warn warn warn warn')
    const redis = server.client()
    await ready(redis)
    await redis.config('RESETSTAT')
    expect(await levels(server)).toBe(passOf('out-of-memory'))
  })

  flip('out-of-memory', 'fail: over the limit and not able to evict', async ({ levels }) => {
    let info = healthyInfo({ current_eviction_exceeded_time: 1200 })
    await using fake = await startFakeRedis(command => (command.startsWith('INFO') ? info : table(HEALTHY)(command)))
    expect(await levels(fake.url, { writeProbe: false })).toBe('fail fail fail warn')
    info = healthyInfo()
    expect(await levels(fake.url, { writeProbe: false })).toBe(passOf('out-of-memory'))
  })
})
