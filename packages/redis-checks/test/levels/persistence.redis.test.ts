import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

import { startRedis } from '@safety/redis-core/testing'
import { expect } from 'vitest'

import { startFakeRedis, table } from '../fake-redis.ts'
import type { Answer } from '../fake-redis.ts'
import { awaitOnline, configure, ready, until } from '../harness.ts'
import { HEALTHY, healthyInfo } from './fakes.ts'
import { describeLevels, passOf } from './flip.ts'

describeLevels('persistence', flip => {
  flip('persistence', 'fail: neither AOF nor save; warn, in strict fail: RDB only', async ({ levels }) => {
    await using server = await startRedis()
    expect(await levels(server)).toBe('fail fail info info')
    await configure(server, { save: '3600 1' })
    expect(await levels(server)).toBe('fail warn info info')
    await configure(server, { appendonly: 'yes' })
    expect(await levels(server)).toBe(passOf('persistence'))
  })

  flip('fsync-policy', 'fail: no; info, in strict fail: everysec', async ({ levels }) => {
    await using server = await startRedis({ aof: 'everysec' })
    expect(await levels(server)).toBe('fail info info info')
    await configure(server, { appendfsync: 'no' })
    expect(await levels(server)).toBe('fail fail info info')
    await configure(server, { appendfsync: 'always' })
    expect(await levels(server)).toBe(passOf('fsync-policy'))
  })

  flip('rewrite-fsync', 'warn: no fsync during a rewrite', async ({ levels }) => {
    await using server = await startRedis({ aof: 'always' })
    await configure(server, { 'no-appendfsync-on-rewrite': 'yes' })
    expect(await levels(server)).toBe('warn warn info -')
    await configure(server, { 'no-appendfsync-on-rewrite': 'no' })
    expect(await levels(server)).toBe(passOf('rewrite-fsync'))
  })

  flip('aof-health', 'fail: last write err, or three failed rewrites; warn: one failed rewrite', async ({ levels }) => {
    let info = healthyInfo()
    await using fake = await startFakeRedis(command => (command.startsWith('INFO') ? info : table(HEALTHY)(command)))
    const options = { writeProbe: false }
    for (const [changes, expected] of [
      [{ aof_last_write_status: 'err' }, 'fail fail info info'],
      [{ aof_rewrites_consecutive_failures: 3 }, 'fail fail info info'],
      [{ aof_last_bgrewrite_status: 'err' }, 'warn warn info info'],
    ] as const) {
      info = healthyInfo(changes)
      expect(await levels(fake.url, options)).toBe(expected)
    }
    info = healthyInfo()
    expect(await levels(fake.url, options)).toBe(passOf('aof-health'))
  })

  flip('rdb-health', 'fail: a BGSAVE into a removed directory [claim 6]', async ({ levels }) => {
    await using server = await startRedis({ args: ['--enable-protected-configs', 'yes'] })
    const away = join(server.directory, 'away')
    await mkdir(away)
    await configure(server, { dir: away })
    await rm(away, { recursive: true })
    const redis = server.client()
    await ready(redis)
    const save = async (status: string): Promise<void> => {
      await redis.bgsave().catch(() => undefined)
      await until(async () => (await redis.info('persistence')).includes(`rdb_last_bgsave_status:${status}`))
    }
    await save('err')
    expect(await levels(server)).toBe('fail fail warn info')
    await mkdir(away)
    await configure(server, { dir: away })
    await save('ok')
    expect(await levels(server)).toBe(passOf('rdb-health'))
  })

  flip('stop-writes', 'warn: RDB only, and writes go on after a failed BGSAVE', async ({ levels }) => {
    await using server = await startRedis()
    await configure(server, { save: '3600 1', 'stop-writes-on-bgsave-error': 'no' })
    expect(await levels(server)).toBe('warn warn info -')
    await configure(server, { 'stop-writes-on-bgsave-error': 'yes' })
    expect(await levels(server)).toBe(passOf('stop-writes'))
  })

  flip('empty-restart', 'fail: no persistence, and replicas that an empty restart empties', async ({ levels }) => {
    await using master = await startRedis()
    await using _replica = await startRedis({ replicaOf: master })
    await awaitOnline(master)
    expect(await levels(master)).toBe('fail fail info -')
    await configure(master, { save: '3600 1' })
    expect(await levels(master)).toBe(passOf('empty-restart'))
  })

  flip('waitaof', 'fail: disabled; warn: silent', async ({ levels }) => {
    const answering = (answer: Answer): Promise<Awaited<ReturnType<typeof startFakeRedis>>> =>
      startFakeRedis(table({ ...HEALTHY, INFO: healthyInfo(), WAITAOF: answer }))
    await using disabled = await answering(
      '-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.',
    )
    expect(await levels(disabled.url)).toBe('fail fail info -')
    await using silent = await answering([0, 0])
    expect(await levels(silent.url)).toBe('warn warn info -')
    await using synced = await answering([1, 0])
    expect(await levels(synced.url)).toBe(passOf('waitaof'))
  })
})
