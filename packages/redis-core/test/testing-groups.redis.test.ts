import { Cluster, type Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import { connectRedis, whenReady } from '../src/index.ts'
import { startCluster, startSentinel, type RedisGroup, type RedisServer } from '../src/testing/index.ts'
import { newestOf } from '../src/testing/redis-group.ts'

async function readyClient(server: RedisServer): Promise<Redis> {
  const redis = server.client()
  await whenReady(redis, { timeoutMs: 10_000 })
  return redis
}

/** The master once it is another one. Asked again at once, those who have not heard of it may name the old one still. */
async function nextMaster(group: RedisGroup, old: RedisServer, key?: string): Promise<RedisServer> {
  let next = old
  const seen = async (): Promise<number> => (next = await group.master(key)).port
  await expect.poll(seen, { timeout: 45_000, interval: 100 }).not.toBe(old.port)
  return next
}

async function roleOf(server: RedisServer): Promise<string> {
  const [role] = (await (await readyClient(server)).role()) as [string]
  return role
}

describe('startSentinel', () => {
  test('a killed master is replaced, master() names the new one, and the old one returns as a replica', async () => {
    await using group = await startSentinel()
    expect(group.servers).toHaveLength(3)
    expect(group.sentinels).toHaveLength(3)
    const old = await group.master()
    expect(old).toBe(group.servers[0])
    expect(await Promise.all(group.servers.map(roleOf))).toEqual(['master', 'slave', 'slave'])

    await old.kill()
    const next = await nextMaster(group, old)
    expect(group.servers.slice(1)).toContain(next)
    await expect.poll(() => roleOf(next), { timeout: 20_000 }).toBe('master')

    const redis = connectRedis(group.url)
    await whenReady(redis, { timeoutMs: 20_000 })
    await redis.set('key', 'value')
    expect(await (await readyClient(next)).get('key')).toBe('value')
    redis.disconnect()

    await old.restart()
    await expect.poll(() => roleOf(old), { timeout: 40_000, interval: 250 }).toBe('slave')
  }, 120_000)

  test('a paused master is replaced, and its sentinels can be stopped one by one', async () => {
    await using group = await startSentinel({ replicas: 1, downAfterMs: 500 })
    expect(group.servers).toHaveLength(2)
    await group.sentinels[0]?.kill()
    const old = await group.master()
    old.pause()
    const next = await nextMaster(group, old)
    expect(next).toBe(group.servers[1])
    // The leader of the failover tells the others; before that it alone knows.
    for (const sentinel of group.sentinels.slice(1)) {
      const asked = sentinel.client({ profile: 'worker' })
      const named = async (): Promise<string> =>
        String(((await asked.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'mymaster')) as string[])[1])
      await expect.poll(named, { timeout: 20_000, interval: 100 }).toBe(String(next.port))
    }
    await group.sentinels[1]?.kill()
    expect(await group.master()).toBe(next)
    await group.sentinels[2]?.kill()
    await expect(group.master()).rejects.toMatchObject({ code: 'ERR_REDIS_SERVER' })
  }, 120_000)

  test('passes arguments to every server with data, a password included', async () => {
    await using group = await startSentinel({ replicas: 1, args: ['--requirepass', 'p w', '--maxmemory', '20mb'] })
    for (const server of group.servers) {
      const reply = await (await readyClient(server)).config('GET', 'maxmemory')
      expect(reply[1]).toBe(String(20 * 1024 * 1024))
    }
    const redis = connectRedis(group.url)
    await whenReady(redis, { timeoutMs: 20_000 })
    expect(await redis.set('key', 'value')).toBe('OK')
    redis.disconnect()
  }, 60_000)

  test('dispose leaves none of its processes', async () => {
    const group = await startSentinel({ replicas: 0 })
    const pids = [...group.servers, ...group.sentinels].map(({ pid }) => pid)
    expect(pids).toHaveLength(4)
    await group[Symbol.asyncDispose]()
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow(/ESRCH/)
  }, 60_000)
})

describe('startCluster', () => {
  test('serves every slot, and master() names the node that holds a key', async () => {
    await using group = await startCluster({ args: ['--maxmemory', '20mb'] })
    expect(group.servers).toHaveLength(6)
    const cluster = new Cluster(group.servers.map(({ host, port }) => ({ host, port })))
    const keys = Array.from({ length: 200 }, (_, index) => `key:${index}`)
    for (const key of keys) expect(await cluster.set(key, key)).toBe('OK')
    const used = new Set<number>()
    for (const key of keys) {
      const owner = await group.master(key)
      used.add(owner.port)
      if (used.size <= 3 && key.endsWith('0')) expect(await (await readyClient(owner)).get(key)).toBe(key)
    }
    expect(used).toEqual(new Set(group.servers.slice(0, 3).map(({ port }) => port)))
    for (const server of group.servers) {
      const redis = await readyClient(server)
      expect(await redis.cluster('INFO')).toMatch(/cluster_state:ok[\s\S]*cluster_slots_ok:16384/)
      expect((await redis.config('GET', 'maxmemory'))[1]).toBe(String(20 * 1024 * 1024))
    }
    cluster.disconnect()
  }, 120_000)

  test('a killed master is replaced by its replica, and master(key) names it', async () => {
    await using group = await startCluster({ nodeTimeoutMs: 1_000 })
    const old = await group.master('account:1')
    const before = await readyClient(old)
    await before.set('account:1', 'value')
    expect(await before.wait(1, 5_000)).toBe(1)
    await old.kill()
    const next = await nextMaster(group, old, 'account:1')
    expect(group.servers.slice(3)).toContain(next)
    const redis = await readyClient(next)
    await expect.poll(() => redis.get('account:1').catch(String), { timeout: 20_000 }).toBe('value')
    await old.restart()
    await expect.poll(() => roleOf(old), { timeout: 30_000, interval: 250 }).toBe('slave')
    expect(await group.master('account:1')).toBe(next)
  }, 120_000)
})

describe('groups', () => {
  test('the newest configuration counts where members differ', () => {
    const views = [3, 7, 5].map(epoch => ({ epoch }))
    expect(newestOf(views)).toBe(views[1])
    expect(newestOf([])).toBeUndefined()
  })

  test.each([
    ['replicas', () => startSentinel({ replicas: -1 })],
    ['downAfterMs', () => startSentinel({ downAfterMs: 10 })],
    ['replicasPerMaster', () => startCluster({ replicasPerMaster: 1.5 })],
    ['nodeTimeoutMs', () => startCluster({ nodeTimeoutMs: Number.NaN })],
  ] as const)('start nothing with a wrong %s', async (field, start) => {
    await expect(start()).rejects.toMatchObject({ code: 'ERR_REDIS_OPTIONS', message: expect.stringContaining(field) })
  })
})
