import { startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import { expect } from 'vitest'

import { startFakeRedis, table } from '../fake-redis.ts'
import { awaitOnline, configure, infoOf, nodeId, ready, until } from '../harness.ts'
import { HEALTHY, healthyInfo } from './fakes.ts'
import { describeLevels, passOf } from './flip.ts'

interface Pair extends AsyncDisposable {
  readonly master: RedisServer
  readonly replica: RedisServer
}

async function startPair(): Promise<Pair> {
  const master = await startRedis()
  const replica = await startRedis({ replicaOf: master })
  await awaitOnline(master)
  return {
    master,
    replica,
    async [Symbol.asyncDispose]() {
      await replica[Symbol.asyncDispose]()
      await master[Symbol.asyncDispose]()
    },
  }
}

describeLevels('replication', flip => {
  flip('replica-count', 'fail: none of the expected; warn: fewer', async ({ levels }) => {
    await using master = await startRedis()
    expect(await levels(master, { expect: { replicas: 1 } })).toBe('fail fail warn info')
    await using _replica = await startRedis({ replicaOf: master })
    await awaitOnline(master)
    expect(await levels(master, { expect: { replicas: 2 } })).toBe('warn warn warn info')
    expect(await levels(master, { expect: { replicas: 1 } })).toBe(passOf('replica-count'))
  })

  flip(
    'min-replicas',
    'fail: over the good replicas; warn: 0 (strict: fail), or a long max-lag',
    async ({ levels }) => {
      await using pair = await startPair()
      const { master } = pair
      expect(await levels(master)).toBe('fail warn warn info')
      await configure(master, { 'min-replicas-to-write': '5' })
      expect(await levels(master)).toBe('fail fail warn info')
      await configure(master, { 'min-replicas-to-write': '1', 'min-replicas-max-lag': '60' })
      expect(await levels(master)).toBe('warn warn warn info')
      await configure(master, { 'min-replicas-max-lag': '10' })
      expect(await levels(master)).toBe(passOf('min-replicas'))
    },
  )

  flip('replication-lag', 'warn over 1 s, in strict fail over max-lag', async ({ levels }) => {
    const lagging = (lag: number): string =>
      `${healthyInfo()}\r\nslave0:ip=127.0.0.1,port=1,state=online,offset=1,lag=${lag}`
    let info = lagging(2)
    const answers = { ...HEALTHY, 'CONFIG GET': ['min-replicas-max-lag', '10'] }
    await using fake = await startFakeRedis(command => (command.startsWith('INFO') ? info : table(answers)(command)))
    const options = { writeProbe: false }
    expect(await levels(fake.url, options)).toBe('warn warn info info')
    info = lagging(11)
    expect(await levels(fake.url, options)).toBe('fail warn info info')
    info = lagging(1)
    expect(await levels(fake.url, options)).toBe(passOf('replication-lag'))
  })

  flip('replication-lag', 'warn: a paused replica lags on a real server', async ({ settles }) => {
    await using pair = await startPair()
    pair.replica.pause()
    const options = { node: nodeId(pair.master), nodeTimeoutMs: 500, writeProbe: false }
    await settles(pair.master, 'warn warn info info', options)
    pair.replica.resume()
    await settles(pair.master, passOf('replication-lag'), options)
  })

  flip(
    'wait-probe',
    'warn, in strict fail: fewer replicas than expected have the write',
    async ({ levels, settles }) => {
      await using pair = await startPair()
      const options = { expect: { replicas: 1 }, nodeTimeoutMs: 1000 }
      pair.replica.pause()
      expect(await levels(pair.master, options)).toBe('fail warn info -')
      pair.replica.resume()
      await settles(pair.master, passOf('wait-probe'), options)
    },
  )

  flip('replica-writable', 'fail: a replica that takes writes', async ({ levels }) => {
    await using pair = await startPair()
    await configure(pair.replica, { 'replica-read-only': 'no' })
    expect(await levels(pair.master)).toBe('fail fail fail warn')
    await configure(pair.replica, { 'replica-read-only': 'yes' })
    expect(await levels(pair.master)).toBe(passOf('replica-writable'))
  })

  flip('failover-in-progress', 'warn: a replica without its master', async ({ levels, settles }) => {
    await using pair = await startPair()
    await pair.master.kill()
    expect(await levels(pair.replica)).toBe('warn warn warn info')
    await pair.master.restart()
    await settles(pair.replica, passOf('failover-in-progress'))
  })

  flip('failover-in-progress', 'warn: a master that hands over', async ({ levels, settles }) => {
    await using pair = await startPair()
    const admin = pair.master.client()
    await ready(admin)
    // A paused replica never catches up: the master waits for it, and holds writes back.
    pair.replica.pause()
    await admin.set('a', 'b')
    await admin.call('FAILOVER', 'TIMEOUT', '60000')
    await until(async () => (await infoOf(pair.master, 'replication')).includes('state:waiting-for-sync'))
    const options = { node: nodeId(pair.master), nodeTimeoutMs: 500, writeProbe: false }
    expect(await levels(pair.master, options)).toBe('warn warn warn info')
    await admin.call('FAILOVER', 'ABORT')
    pair.replica.resume()
    await settles(pair.master, passOf('failover-in-progress'), options)
  })

  flip('replica-priority', 'fail: no replica may be promoted', async ({ levels }) => {
    await using pair = await startPair()
    await configure(pair.replica, { 'replica-priority': '0' })
    expect(await levels(pair.master)).toBe('fail fail fail info')
    await configure(pair.replica, { 'replica-priority': '10' })
    expect(await levels(pair.master)).toBe(passOf('replica-priority'))
  })

  const settings = { maxmemory: ['1gb', '0'], 'maxmemory-policy': ['allkeys-lru', 'noeviction'], save: ['3600 1', ''] }
  for (const [name, [other = '', same = '']] of Object.entries(settings)) {
    flip('node-parity', `fail: another ${name}`, async ({ levels }) => {
      await using pair = await startPair()
      await configure(pair.replica, { [name]: other })
      expect(await levels(pair.master)).toBe('fail fail warn info')
      await configure(pair.replica, { [name]: same })
      expect(await levels(pair.master)).toBe(passOf('node-parity'))
    })
  }
})
