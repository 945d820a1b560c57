import { connectRedis, whenReady } from '@safety/redis-core'
import { startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import type { Idempotency, RecordView } from '../src/index.ts'
import { createKeyLayout } from '../src/redis/keys.ts'
import { collect, instance, recordKeys, rejection } from './harness.ts'
import type { Instance } from './harness.ts'

let server: RedisServer
let redis: Redis

beforeAll(async () => {
  server = await startRedis()
  redis = server.client()
  await whenReady(redis)
})
afterAll(() => server[Symbol.asyncDispose]())

const AUTHOR = { by: 'kim', why: 'seen in the bank statement' }

async function doubt(idem: Idempotency, keys: readonly string[], name = 'pay'): Promise<void> {
  const run = (): never => {
    throw new Error('the line went dead')
  }
  for (let from = 0; from < keys.length; from += 100) {
    const some = keys.slice(from, from + 100)
    await Promise.all(some.map(key => rejection(idem.executeOnce(key, run, { name }))))
  }
}

/** Keys of one bucket. */
function keysOfOneBucket(count: number): string[] {
  const layout = createKeyLayout('any')
  const keys: string[] = []
  for (let index = 0; keys.length < count; index += 1) {
    if (layout.place('pay', `k${index}`).tag === '05') keys.push(`k${index}`)
  }
  return keys
}

/** The records listed before it ended, and the error it ended with. */
async function walk(list: AsyncIterable<RecordView>): Promise<{ keys: string[]; error: unknown }> {
  const keys: string[] = []
  try {
    for await (const { key } of list) keys.push(key)
  } catch (error) {
    return { keys: keys.sort(), error }
  }
  return { keys: keys.sort(), error: undefined }
}

/** Writes another text, or another type, over the record of a key. */
async function spoil(here: Instance, key: string, how: 'version' | 'payload' | 'type'): Promise<void> {
  const layout = createKeyLayout(here.namespace)
  const { record } = layout.keysOf(layout.place('pay', key))
  if (how === 'version') await redis.set(record, '2|something else')
  if (how === 'payload') await redis.set(record, (await redis.get(record))?.replace(/\{.*$/, 'geheim') ?? '')
  if (how === 'type') {
    await redis.del(record)
    await redis.lpush(record, 'x')
  }
}

describe('a list that is walked while records change', () => {
  test('gives every record once whose verdict comes during the walk, and leaves none open', async () => {
    await using here = instance(redis)
    const keys = keysOfOneBucket(1100)
    await doubt(here.idem, keys)
    const listed: string[] = []
    for await (const { effect, key } of here.idem.list()) {
      listed.push(key)
      await here.idem.resolve(effect, key, { outcome: 'ran', value: null, ...AUTHOR })
    }
    expect(listed.toSorted()).toEqual(keys.toSorted())
    expect(await collect(here.idem.list())).toEqual([])
  })

  test('gives a record that stays open although its time moves before those already given', async () => {
    await using here = instance(redis)
    const keys = keysOfOneBucket(1100)
    await doubt(here.idem, keys)
    const { bucket } = createKeyLayout(here.namespace).keysOf({ effect: 'pay', part: 'x', tag: '05' })
    const members = (await redis.zrange(bucket, '0', '-1')).filter(member => member.startsWith('pay:'))
    const listed: string[] = []
    for await (const { key } of here.idem.list()) {
      if (listed.length === 0) await redis.zadd(bucket, 1, members.at(-1) as string)
      listed.push(key)
    }
    expect(listed.toSorted()).toEqual(keys.toSorted())
  })

  test('gives no record as open that has ended meanwhile', async () => {
    await using here = instance(redis)
    const keys = keysOfOneBucket(3)
    await doubt(here.idem, keys)
    const states: string[] = []
    for await (const { state } of here.idem.list()) {
      if (states.length === 0) {
        for (const key of keys) {
          await here.idem.confirm('pay', key, { outcome: 'ran', value: 1, evidenceId: 'e' })
        }
      }
      states.push(state)
    }
    expect(states).toEqual(['in-doubt'])
  })
})

describe('a record that cannot be read', () => {
  test.for(['version', 'payload', 'type'] as const)(
    'by its %s does not hide the others: FORMAT comes after them, for open ones and for all',
    async how => {
      await using here = instance(redis)
      await doubt(here.idem, ['a', 'b', 'c', 'd'])
      await doubt(here.idem, ['e'], 'other')
      await spoil(here, 'b', how)
      await spoil(here, 'c', how)
      for (const all of [false, true]) {
        const { keys, error } = await walk(here.idem.list({ all }))
        expect(keys).toEqual(['a', 'd', 'e'])
        expect(error).toMatchObject({ code: 'ERR_IDEMPOTENCY_FORMAT', effect: 'pay', retryable: false })
        expect((error as Error).message).toMatch(/effect pay \([a-z2-7]{26}\).* 1 more/)
        expect((error as Error).message).not.toMatch(/geheim/)
      }
      expect(await walk(here.idem.list({ effect: 'other' }))).toEqual({ keys: ['e'], error: undefined })
      const one = await walk(here.idem.list({ effect: 'pay', states: ['in-doubt'] }))
      expect([one.keys, (one.error as { code: string }).code]).toEqual([['a', 'd'], 'ERR_IDEMPOTENCY_FORMAT'])
    },
  )

  test('that is of nobody here, with a name no key has, does not hide the others either', async () => {
    await using here = instance(redis)
    await doubt(here.idem, ['a'])
    await redis.set(`${here.namespace}:{00}:pay:100%`, 'x')
    const { keys, error } = await walk(here.idem.list({ all: true }))
    expect([keys, error]).toMatchObject([['a'], { code: 'ERR_IDEMPOTENCY_FORMAT' }])
  })

  test('is FORMAT for whoever inspects or confirms it, without a word of its payload', async () => {
    await using here = instance(redis)
    await here.idem.executeOnce('a', () => 1, { name: 'pay' })
    await spoil(here, 'a', 'payload')
    const evidence = { outcome: 'ran', value: 1, evidenceId: 'e' } as const
    for (const call of [here.idem.inspect('pay', 'a'), here.idem.confirm('pay', 'a', evidence)]) {
      const error = await rejection<Error>(call)
      expect(error).toMatchObject({ code: 'ERR_IDEMPOTENCY_FORMAT' })
      expect(`${error.message} ${String(error.cause)}`).not.toMatch(/geheim/)
    }
  })
})

describe('a read the store refuses', () => {
  test('says so and is not to be repeated: a list over a bucket of another type, a digest, a scan', async () => {
    await using here = instance(redis)
    const { namespace } = here
    await redis.set(`${namespace}:{00}:open`, 'x')
    const refused = { code: 'ERR_IDEMPOTENCY_STORE', retryable: false, outcome: 'not-run' }
    const byBucket = await rejection<Error>(collect(here.idem.list()))
    expect(byBucket).toMatchObject({ ...refused, message: expect.stringMatching(/refuses.*will not help/) })

    await redis.call('ACL', 'SETUSER', 'narrow', 'on', '>pw', 'resetkeys', `~${namespace}:none`, '+@all', '-scan')
    const user = connectRedis(server.url.replace('//', '//narrow:pw@'))
    await whenReady(user)
    await using narrow = instance(user, { namespace })
    for (const read of [narrow.idem.inspect('pay', `~${'x'.repeat(43)}`), collect(narrow.idem.list({ all: true }))]) {
      const error = await rejection<Error>(read)
      expect(error).toMatchObject({ ...refused, message: expect.stringMatching(/refuses.*will not help/) })
    }
    user.disconnect()
  })
})

describe('the value of a verdict', () => {
  const text = (bytes: number): string => 'x'.repeat(bytes - 2)

  test('is kept up to a mebibyte where its effect is not defined, and refused above, not dropped', async () => {
    await using here = instance(redis)
    await doubt(here.idem, ['a', 'b'])
    for (const bytes of [65_537, 1_048_576]) {
      const value = text(bytes)
      const key = bytes === 65_537 ? 'a' : 'b'
      await here.idem.resolve('pay', key, { outcome: 'ran', value, ...AUTHOR })
      expect((await here.idem.inspect('pay', key))?.value === value).toBe(true)
    }
    const value = text(1_048_577)
    const large = [
      here.idem.resolve('pay', 'c', { outcome: 'ran', value, ...AUTHOR }),
      here.idem.confirm('pay', 'c', { outcome: 'ran', value, evidenceId: 'e' }),
    ]
    for (const verdict of large) {
      expect(await rejection(verdict)).toMatchObject({ code: 'ERR_IDEMPOTENCY_OPTIONS', option: 'value' })
    }
    expect(await recordKeys(redis, here.namespace)).toHaveLength(2)
  })

  test('is bounded by maxResultBytes where its effect is defined, as a result is', async () => {
    await using here = instance(redis)
    here.idem.define({
      name: 'pay',
      key: (input: string) => input,
      recovery: { mode: 'manual' },
      maxResultBytes: 5,
      run: () => 1,
    })
    const small = await here.idem.confirm('pay', 'a', { outcome: 'ran', value: 'abc', evidenceId: 'e' })
    expect(small).toMatchObject({ state: 'done', value: 'abc' })
    const large = await here.idem.confirm('pay', 'b', { outcome: 'ran', value: 'abcd', evidenceId: 'e' })
    expect([large.state, 'value' in large]).toEqual(['done', false])
  })
})
