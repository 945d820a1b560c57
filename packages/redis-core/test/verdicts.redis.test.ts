import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { classifyRedisError, defineScript, runScript, whenReady } from '../src/index.ts'
import type { RedisClient } from '../src/index.ts'
import { startCluster, startRedis, testKeyspace } from '../src/testing/index.ts'
import type { RedisServer } from '../src/testing/index.ts'
import { variants } from './ioredis-variants.ts'
import type { Variant } from './ioredis-variants.ts'
import { endOf, pause, until } from './outcome.ts'
import { increment, plus, read } from './scripts.ts'

const DEADLINE_MS = 20_000

interface Expected {
  readonly verdict: 'not-run' | 'refused' | 'unknown'
  readonly redisCode: string
}

const CODES = { 'not-run': 'ERR_REDIS_NOT_RUN', refused: 'ERR_REDIS_REFUSED', unknown: 'ERR_REDIS_UNKNOWN' } as const

/** The row holds for a plain command and for a script. */
async function expectRow(redis: RedisClient, key: string, { verdict, redisCode }: Expected): Promise<void> {
  const plain = await endOf(redis.incr(key))
  expect(plain.error).toMatchObject({ message: expect.stringContaining(redisCode) })
  expect(classifyRedisError(plain.error)).toBe(verdict)
  await expectScript(redis, key, { verdict, redisCode })
}

async function expectScript(redis: RedisClient, key: string, { verdict, redisCode }: Expected): Promise<void> {
  const script = await endOf(runScript(redis, increment, plus(key), { deadlineMs: DEADLINE_MS }))
  expect(script.error).toMatchObject({
    code: CODES[verdict],
    outcome: verdict === 'unknown' ? 'unknown' : 'not-run',
    retryable: verdict === 'not-run',
    redisCode,
    script: 'test.increment',
  })
}

async function using(variant: Variant, server: RedisServer, run: (redis: RedisClient) => Promise<void>): Promise<void> {
  const redis = variant.connect(server.url)
  try {
    await whenReady(redis)
    await run(redis)
  } finally {
    redis.disconnect()
  }
}

let server: RedisServer
beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server[Symbol.asyncDispose]())

describe.each(variants)('verdicts against a server in that state, $name [claim 5]', variant => {
  test('READONLY is not run', async () => {
    await using master = await startRedis()
    await using replica = await startRedis({ replicaOf: master })
    await using(variant, replica, async redis => {
      await expectScript(redis, 'k', { verdict: 'not-run', redisCode: 'READONLY' })
      await whenReady(redis) // the client left, and came back
      const plain = await endOf(redis.incr('k'))
      expect(classifyRedisError(plain.error)).toBe('not-run')
    })
  })

  test('MASTERDOWN is not run', async () => {
    await using master = await startRedis()
    await using replica = await startRedis({ replicaOf: master, args: ['--replica-serve-stale-data', 'no'] })
    await using(variant, replica, async redis => {
      await master.kill()
      await until(async () =>
        (await redis.info('replication')).includes('master_link_status:down') ? true : undefined,
      )
      expect(classifyRedisError((await endOf(redis.get('k'))).error)).toBe('not-run')
      await expect(runScript(redis, read, { keys: { counter: 'k' }, args: {} })).rejects.toMatchObject({
        code: 'ERR_REDIS_NOT_RUN',
        redisCode: 'MASTERDOWN',
      })
    })
  })

  test('OOM is not run', async () => {
    await using full = await startRedis({ args: ['--maxmemory', '1', '--maxmemory-policy', 'noeviction'] })
    await using(variant, full, redis => expectRow(redis, 'k', { verdict: 'not-run', redisCode: 'OOM' }))
  })

  test('NOREPLICAS is not run', async () => {
    await using lonely = await startRedis({ args: ['--min-replicas-to-write', '1'] })
    await using(variant, lonely, redis => expectRow(redis, 'k', { verdict: 'not-run', redisCode: 'NOREPLICAS' }))
  })

  test('MISCONF is not run', async () => {
    await using stuck = await startRedis({ args: ['--dbfilename', 'blocked'] })
    await mkdir(join(stuck.directory, 'blocked', 'by-a-folder'), { recursive: true })
    await using(variant, stuck, async redis => {
      await redis.config('SET', 'save', '1 1')
      await redis.set('dirty', '1')
      await redis.bgsave()
      await until(async () =>
        (await redis.info('persistence')).includes('rdb_last_bgsave_status:err') ? true : undefined,
      )
      await expectRow(redis, 'k', { verdict: 'not-run', redisCode: 'MISCONF' })
    })
  })

  test('BUSY is not run', async () => {
    await using busy = await startRedis({ args: ['--busy-reply-threshold', '50'] })
    const looping = variant.connect(busy.url)
    await using(variant, busy, async redis => {
      await whenReady(looping)
      looping.eval('while true do end', 0).catch(() => {})
      await pause(500)
      await expectRow(redis, 'k', { verdict: 'not-run', redisCode: 'BUSY' })
      await redis.script('KILL' as 'FLUSH')
    })
    looping.disconnect()
  })

  test('LOADING is not run', async () => {
    const args = [
      '--enable-debug-command',
      'local',
      '--key-load-delay',
      '20000',
      '--loading-process-events-interval-bytes',
      '1024',
    ]
    await using slow = await startRedis({ args })
    const filler = slow.client({ commandTimeoutMs: 60_000 })
    await whenReady(filler)
    for (let index = 0; index < 500; index++) await filler.set(`k${index}`, 'x'.repeat(1024))
    filler.call('DEBUG', 'RELOAD').catch(() => {}) // the server is gone before it is through
    // Without its own ready check the client speaks to a loading server.
    const redis = variant.own({ port: slow.port, enableReadyCheck: false, autoResendUnfulfilledCommands: false })
    redis.on('error', () => {})
    try {
      await whenReady(redis)
      await until(async () => ((await endOf(redis.incr('x'))).error === undefined ? undefined : true))
      await expectRow(redis, 'k', { verdict: 'not-run', redisCode: 'LOADING' })
    } finally {
      redis.disconnect()
    }
  })

  test('CLUSTERDOWN and MOVED are not run', async () => {
    await using empty = await startRedis({ args: ['--cluster-enabled', 'yes'] })
    await using(variant, empty, redis => expectRow(redis, 'k', { verdict: 'not-run', redisCode: 'CLUSTERDOWN' }))
    await using cluster = await startCluster({ replicasPerMaster: 0 })
    const owner = await cluster.master('k')
    const other = cluster.servers.find(node => node.port !== owner.port) as RedisServer
    await using(variant, other, redis => expectRow(redis, 'k', { verdict: 'not-run', redisCode: 'MOVED' }))
    await using(variant, owner, async redis => {
      const two = defineScript({
        name: 'test.two',
        keys: ['a', 'b'],
        args: {},
        reply: reply => reply.texts(),
        lua: 'return {}',
      })
      await expect(runScript(redis, two, { keys: { a: 'k', b: 'l' }, args: {} })).rejects.toMatchObject({
        code: 'ERR_REDIS_REFUSED',
        redisCode: 'CROSSSLOT',
      })
    })
  })

  test('NOSCRIPT is not run', async () => {
    await using(variant, server, async redis => {
      const { error } = await endOf(redis.evalsha('0'.repeat(40), 0))
      expect(classifyRedisError(error)).toBe('not-run')
    })
  })

  test('a server without a free place for clients is not run', async () => {
    await using small = await startRedis({ args: ['--maxclients', '2'] })
    const filler = [variant.connect(small.url), variant.connect(small.url)]
    await Promise.all(filler.map(client => whenReady(client)))
    const redis = variant.connect(small.url)
    try {
      await expect(runScript(redis, increment, plus('k'), { deadlineMs: 300 })).rejects.toMatchObject({
        code: 'ERR_REDIS_NOT_RUN',
      })
    } finally {
      for (const client of [redis, ...filler]) client.disconnect()
    }
  })

  test('WRONGTYPE is refused', async () => {
    await using(variant, server, async redis => {
      const key = testKeyspace().key('list')
      await redis.rpush(key, 'x')
      await expectRow(redis, key, { verdict: 'refused', redisCode: 'WRONGTYPE' })
    })
  })

  test('NOPERM is refused, for the script and for a command in it', async () => {
    await using guarded = await startRedis()
    const admin = guarded.client()
    await whenReady(admin)
    await admin.call('ACL', 'SETUSER', 'noeval', 'on', '>pw', '~*', '+@all', '-eval', '-evalsha', '-incr')
    await admin.call('ACL', 'SETUSER', 'noincr', 'on', '>pw', '~*', '+@all', '-incrby', '-incr')
    const target = { kind: 'standalone' as const, host: '127.0.0.1', port: guarded.port, password: 'pw' }
    for (const username of ['noeval', 'noincr']) {
      const redis = variant.connect({ ...target, username })
      try {
        const plain = await endOf(whenReady(redis).then(() => redis.incr('k')))
        expect(classifyRedisError(plain.error)).toBe('refused')
        await expect(runScript(redis, increment, plus('k'), { deadlineMs: DEADLINE_MS })).rejects.toMatchObject({
          code: 'ERR_REDIS_REFUSED',
          outcome: 'not-run',
          retryable: false,
        })
      } finally {
        redis.disconnect()
      }
    }
    expect(await admin.get('k')).toBeNull()
  })

  test('NOAUTH and WRONGPASS are refused, at the deadline', async () => {
    await using locked = await startRedis({ args: ['--requirepass', 'right'] })
    for (const [url, redisCode] of [
      [`redis://127.0.0.1:${locked.port}`, 'NOAUTH'],
      [`redis://:wrong@127.0.0.1:${locked.port}`, 'WRONGPASS'],
    ] as const) {
      const redis = variant.connect(url)
      try {
        await expect(runScript(redis, increment, plus('k'), { deadlineMs: 300 })).rejects.toMatchObject({
          code: 'ERR_REDIS_REFUSED',
          redisCode,
        })
      } finally {
        redis.disconnect()
      }
    }
  })

  test('unknown command, wrong number of arguments, a Lua text that does not compile are refused', async () => {
    await using(variant, server, async redis => {
      for (const call of [redis.call('NOSUCH', 'a'), redis.call('GET'), redis.eval('return {', 0)]) {
        expect(classifyRedisError((await endOf(call)).error)).toBe('refused')
      }
      const broken = defineScript({
        name: 'test.broken',
        keys: [],
        args: {},
        reply: reply => reply.texts(),
        lua: 'return {',
      })
      await expect(runScript(redis, broken, { keys: {}, args: {} })).rejects.toMatchObject({
        code: 'ERR_REDIS_REFUSED',
      })
    })
  })

  test('EXECABORT is refused', async () => {
    await using(variant, server, async redis => {
      await redis.call('MULTI')
      await endOf(redis.call('NOSUCH'))
      expect(classifyRedisError((await endOf(redis.call('EXEC'))).error)).toBe('refused')
    })
  })

  test('an error after a write is unknown: the write stands', async () => {
    await using(variant, server, async redis => {
      const key = testKeyspace().key('counter')
      const careless = defineScript({
        name: 'test.careless',
        keys: ['counter'],
        args: {},
        reply: reply => reply.texts(),
        lua: `redis.call('SET', counter, 'written')
return { redis.call('INCR', counter) }`,
      })
      await expect(runScript(redis, careless, { keys: { counter: key }, args: {} })).rejects.toMatchObject({
        code: 'ERR_REDIS_UNKNOWN',
        redisCode: 'ERR',
      })
      expect(await redis.get(key)).toBe('written')
    })
  })

  test("a client that may re-send turns a reply's not-run and refused into unknown", async () => {
    const redis = variant.own({ port: server.port })
    try {
      const key = testKeyspace().key('list')
      await redis.rpush(key, 'x')
      await expect(runScript(redis, increment, plus(key))).rejects.toMatchObject({
        code: 'ERR_REDIS_UNKNOWN',
        redisCode: 'WRONGTYPE',
      })
    } finally {
      redis.disconnect()
    }
  })

  test('no error shows a key or an argument, whatever refused', async () => {
    await using(variant, server, async redis => {
      const key = testKeyspace('secretkey').key('list')
      await redis.rpush(key, 'x')
      const { error } = await endOf(runScript(redis, increment, plus(key, 987_654_321)))
      const shown = [error, (error as Error).cause]
        .map(each => `${(each as Error).stack} ${JSON.stringify(each)}`)
        .join()
      expect(shown).not.toMatch(/secretkey|987654321/)
    })
  })
})
