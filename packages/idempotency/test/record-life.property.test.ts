import type { Script, ScriptArgs } from '@safety/redis-core'
import { whenReady } from '@safety/redis-core'
import { startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import * as fc from 'fast-check'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { abandonScript } from '../src/redis/abandon.ts'
import { claimScript } from '../src/redis/claim.ts'
import { decideScript } from '../src/redis/decide.ts'
import { finishScript } from '../src/redis/finish.ts'
import { createKeyLayout } from '../src/redis/keys.ts'
import { reconcileScript } from '../src/redis/reconcile.ts'
import { renewScript } from '../src/redis/renew.ts'
import { resolveScript } from '../src/redis/resolve.ts'
import { freshNamespace } from './harness.ts'
import * as model from './record-model.ts'
import { LEASE, RLEASE, SETTLE } from './record-model.ts'
import type { Model } from './record-model.ts'

let server: RedisServer
let redis: Redis

beforeAll(async () => {
  server = await startRedis()
  redis = server.client()
  await whenReady(redis)
})
afterAll(() => server[Symbol.asyncDispose]())

const KEEP = '1000000'
const END = fc.constantFrom('D', 'F', 'N', 'U')
const TOKEN = fc.constantFrom('t1', 't2', 't3')
const RTOKEN = fc.constantFrom('r1', 'r2')
const MODE = fc.constantFrom('r', 'c', 'm')

/** One thing that happens to one key. `twice`: its reply was lost, and it is sent again. */
const STEP = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant('claim'),
      token: TOKEN,
      mode: MODE,
      fp: fc.constantFrom('f1', 'f1', 'f1', 'f2'),
      twice: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('renew'), token: TOKEN, twice: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant('finish'), token: TOKEN, to: END, twice: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('abandon'), token: TOKEN, twice: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('reconcile'), token: RTOKEN, mode: MODE, twice: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('resolve'), token: RTOKEN, to: END, twice: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant('decide'),
      kind: fc.constantFrom('confirm', 'resolve', 'release'),
      force: fc.boolean(),
      to: fc.constantFrom('D', 'F', 'N'),
      twice: fc.boolean(),
    }),
  },
  { weight: 4, arbitrary: fc.record({ op: fc.constant('wait'), ms: fc.integer({ min: 1, max: 2 * LEASE }) }) },
)
type Step = typeof STEP extends fc.Arbitrary<infer S> ? S : never

/** The server under a clock the test sets: the scripts read the last two arguments instead of TIME. */
async function send<A extends ScriptArgs, R extends { tag: string }>(
  script: Script<readonly ['record', 'bucket'], A, R>,
  keys: { record: string; bucket: string },
  args: Record<string, string | number>,
  nowMs: number,
): Promise<R> {
  const text = script.text.replaceAll("redis.call('TIME')", '{ ARGV[#ARGV - 1], ARGV[#ARGV] }')
  const [count, ...rest] = script.encode({ keys, args: args as never })
  const time = [String(Math.floor(nowMs / 1000)), String((nowMs % 1000) * 1000)]
  return script.decode(await redis.eval(text, Number(count), ...rest, ...time))
}

/** One key on the server and in the model, and what must never be broken. */
function createWorld() {
  const layout = createKeyLayout(freshNamespace())
  const { record, bucket, member } = layout.keysOf(layout.place('pay', 'k'))
  const keys = { record, bucket }
  const world: Model = { now: 1_000_000, r: undefined }
  /** Fence and attempt each token was last granted. */
  const grants = new Map<string, { fence: number; attempt: number }>()
  const fences: number[] = []
  let final: string | undefined
  let decisions = 0

  async function claim(token: string, fp: string, mode: 'r' | 'c' | 'm'): Promise<void> {
    const before = world.r && { ...world.r }
    const expected = model.claim(world, token, fp, mode)
    const args = { member, token, fp, mode, memo: '', leaseMs: LEASE, keepMs: KEEP, settleMs: SETTLE, notAfter: 0 }
    const reply = await send(claimScript, keys, args, world.now)
    expect(reply.tag === 'OWN' ? `OWN ${reply.how}` : reply.tag).toBe(
      expected.startsWith('OWN') ? expected : expected.split(' ')[0],
    )
    if (reply.tag !== 'OWN') return
    expect(reply.fence).toBe(world.r?.fence)
    if (reply.how === 'again') {
      expect(reply.fence).toBe(grants.get(token)?.fence)
      return
    }
    // One effect per fence: a grant is a start, and every start has a fence of its own, above all before.
    expect(reply.fence).toBeGreaterThan(fences.at(-1) ?? 0)
    fences.push(reply.fence)
    grants.set(token, { fence: reply.fence, attempt: reply.attempt })
    // A second start of a reconcile or manual effect needs a "not run" between.
    if (before && before.s !== 'N') expect([before.s, before.mode, mode]).toEqual(['C', 'r', 'r'])
  }

  async function act(step: Exclude<Step, { op: 'wait' }>): Promise<void> {
    const { now } = world
    const held = grants.get('token' in step ? step.token : '') ?? { fence: 1, attempt: 1 }
    const common = { member, keepMs: KEEP, settleMs: SETTLE }
    switch (step.op) {
      case 'claim':
        return await claim(step.token, step.fp, step.mode)
      case 'renew': {
        const expected = model.renew(world, step.token, held.fence)
        if (expected === 'absent') return
        const args = {
          ...common,
          token: step.token,
          ...held,
          fence: String(held.fence),
          fp: 'f1',
          mode: 'c',
          memo: '',
          leaseMs: LEASE,
        }
        expect((await send(renewScript, keys, args, now)).tag).toBe(expected.split(' ')[0])
        return
      }
      case 'finish': {
        const to = step.to as 'D'
        const expected = model.finish(world, step.token, held.fence, to)
        if (expected === 'absent') return
        const args = {
          ...common,
          token: step.token,
          ...held,
          fence: String(held.fence),
          fp: 'f1',
          mode: 'c',
          to,
          payload: '{}',
          settled: 0,
        }
        const reply = await send(finishScript, keys, args, now)
        expect(reply.tag === 'OK' ? `OK ${reply.how}` : reply.tag).toBe(
          expected.startsWith('OK') ? expected : 'SUPERSEDED',
        )
        return
      }
      case 'abandon':
        model.abandon(world, step.token)
        expect((await send(abandonScript, keys, { member, token: step.token, mode: 'c', keepMs: KEEP }, now)).tag).toBe(
          'OK',
        )
        return
      case 'reconcile': {
        const expected = model.reconcile(world, step.token, step.mode)
        const args = { member, rtoken: step.token, mode: step.mode, leaseMs: RLEASE, keepMs: KEEP }
        expect((await send(reconcileScript, keys, args, now)).tag).toBe(expected.split(' ')[0])
        return
      }
      case 'resolve': {
        const to = step.to as 'D'
        const fence = world.r?.fence ?? 1
        const expected = model.resolve(world, step.token, fence, to)
        const args = { member, rtoken: step.token, fence: String(fence), to, payload: '{}', keepMs: KEEP, nextMs: 0 }
        const reply = await send(resolveScript, keys, args, now)
        expect(reply.tag === 'OK' ? `OK ${reply.how}` : reply.tag).toBe(expected)
        return
      }
      case 'decide':
        return await decide(step.kind, step.to, step.force)
    }
  }

  async function decide(
    kind: 'confirm' | 'resolve' | 'release',
    wanted: 'D' | 'F' | 'N',
    force: boolean,
  ): Promise<void> {
    const to = kind === 'release' ? 'N' : kind === 'confirm' && wanted === 'N' ? 'D' : wanted
    const id = `d${(decisions += 1)}`
    const expected = model.decide(world, kind, id, to, force)
    const args = { member, kind, id, to, payload: '{}', force: force ? 1 : 0, keepMs: KEEP }
    const reply = await send(decideScript, keys, args, world.now)
    expect(reply.tag === 'OK' ? `OK ${reply.how}` : reply.tag).toBe(
      expected.startsWith('OK') ? expected : expected.split(' ')[0],
    )
    if (kind === 'release' && reply.tag === 'OK' && reply.how === 'first') final = undefined
  }

  /** What holds after every step. */
  async function check(): Promise<void> {
    const text = await redis.get(record)
    const expected = world.r
    if (!expected) {
      expect(text).toBeNull()
      return
    }
    const [, s, token, fence, lease, , settle, mode, rtoken, , conflicts, by] = (text ?? '').split('|')
    expect({ s, token, fence, settle, mode, conflicts, rtoken }).toEqual({
      s: expected.s,
      token: expected.token,
      fence: String(expected.fence),
      settle: String(expected.settle),
      mode: expected.mode,
      conflicts: String(expected.conflicts),
      rtoken: expected.loser === '' ? expected.rtoken : `${expected.rtoken}!${expected.loser}`,
    })
    expect([lease, by]).toEqual([String(expected.lease), expected.by])
    // Nothing vanishes: what is open is listed, and never expires unless it may simply run again; what is closed is neither.
    const listed = (await redis.zscore(bucket, member)) !== null
    const isOpen = expected.s === 'C' || expected.s === 'U' || expected.s === 'R'
    expect(listed).toBe(isOpen)
    const forEver = isOpen && !(expected.s === 'C' && expected.mode === 'r')
    expect((await redis.pttl(record)) === -1).toBe(forEver)
    expect(await redis.pttl(bucket)).toBe(-1)
    // Terminal never changes, but by an operator's release.
    const payloadState = `${s}|${by}|${fence}`
    if (final !== undefined) expect(payloadState).toBe(final)
    if (s === 'D' || s === 'F') final = payloadState
  }

  return { world, act, check, clean: () => redis.del(record, bucket) }
}

describe('the life of a record [claim 27]', () => {
  test('the scripts do what the model says: one effect per fence, terminal never changes, nothing vanishes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(STEP, { minLength: 1, maxLength: 40 }), async steps => {
        const { world, act, check, clean } = createWorld()
        for (const step of steps) {
          if (step.op === 'wait') world.now += step.ms
          else {
            await act(step)
            await check()
            if (step.twice && step.op !== 'decide') {
              const before = await record(world)
              await act(step)
              await check()
              // A lost reply, sent again, moves leases at most.
              expect(await record(world)).toEqual(before)
            }
          }
        }
        await clean()
      }),
      { numRuns: 400 },
    )
  })
})

/** What a repeat may not change. */
async function record({ r }: Model): Promise<unknown> {
  if (!r) return undefined
  const { s, token, fence, mode, conflicts, by } = r
  return { s, token, fence, mode, conflicts, by }
}
