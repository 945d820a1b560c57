import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import type { BreakerOptions } from '../src/index.ts'
import { ServiceError, localBreaker } from './support/local-breaker.ts'

// The page's rules once more, written for clearness instead of speed: calls are kept one by one, and the model looks at
// all of them each time. It shares nothing with the source.

interface Settings {
  readonly minimumCalls: number
  readonly failureRatio: number
  readonly fast: boolean
  readonly probes: number
  readonly successes: number
  readonly tolerated: number
  readonly ramp: boolean
}

const LONG = { lengthMs: 2_000, buckets: 4 }
const FAST = { lengthMs: 500, buckets: 2, minimumCalls: 4, failureRatio: 0.75 }
const BASE_MS = 1_000
const MAX_MS = 4_000
const LEASE_MS = 1_500
const FORGIVE_MS = 3_000
const RAMP_MS = 1_000

interface Call {
  readonly atMs: number
  readonly failed: boolean
}

interface Slot {
  readonly endsMs: number
}

class Model {
  readonly settings: Settings
  state: 'closed' | 'open' | 'half-open' | 'ramping' = 'closed'
  calls: Call[] = []
  slots: Slot[] = []
  passed = 0
  failed = 0
  opens = 0
  closedSinceMs: number
  untilMs = 0
  share = 0
  generation = 0
  order: { target: 'forced-open' | 'disabled'; endsMs: number } | null = null

  constructor(settings: Settings, nowMs: number) {
    this.settings = settings
    this.closedSinceMs = nowMs
  }

  move(state: Model['state'], untilMs: number): void {
    this.state = state
    this.untilMs = untilMs
    this.calls = []
    this.slots = []
    this.passed = 0
    this.failed = 0
    this.generation += 1
  }

  pass(nowMs: number): void {
    if (this.order !== null && this.order.endsMs <= nowMs) this.endOrder(nowMs)
    if (this.state === 'ramping' && this.untilMs <= nowMs) this.move('closed', 0)
  }

  endOrder(nowMs: number): void {
    this.order = null
    this.reset(nowMs)
  }

  reset(nowMs: number): void {
    this.opens = 0
    this.closedSinceMs = nowMs
    this.move('closed', 0)
  }

  opensNow(nowMs: number): number {
    if (this.state !== 'closed' && this.state !== 'ramping') return this.opens
    return Math.max(0, this.opens - Math.floor((nowMs - this.closedSinceMs) / FORGIVE_MS))
  }

  open(nowMs: number): void {
    this.opens = this.opensNow(nowMs) + 1
    this.move('open', nowMs + Math.min(BASE_MS * 2 ** (this.opens - 1), MAX_MS))
  }

  /** What becomes of a call now. */
  ask(nowMs: number): 'run' | 'probe' | 'reject' {
    this.pass(nowMs)
    if (this.order !== null) return this.order.target === 'disabled' ? 'run' : 'reject'
    if (this.state === 'open' && nowMs >= this.untilMs) this.move('half-open', 0)
    if (this.state === 'open') return 'reject'
    if (this.state === 'closed') return 'run'
    if (this.state === 'half-open') {
      this.slots = this.slots.filter(slot => slot.endsMs > nowMs)
      return this.slots.length < this.settings.probes ? 'probe' : 'reject'
    }
    this.share += 0.1 + 0.9 * (1 - (this.untilMs - nowMs) / RAMP_MS)
    if (this.share < 1 - 1e-9) return 'reject'
    this.share -= 1
    return 'run'
  }

  window({ lengthMs, buckets }: { lengthMs: number; buckets: number }, nowMs: number): { ok: number; failed: number } {
    const widthMs = lengthMs / buckets
    const oldest = Math.floor(nowMs / widthMs) - buckets
    const inside = this.calls.filter(call => Math.floor(call.atMs / widthMs) > oldest)
    const failed = inside.filter(call => call.failed).length
    return { ok: inside.length - failed, failed }
  }

  ended(generation: number, failed: boolean, nowMs: number): void {
    this.pass(nowMs)
    if (generation !== this.generation) return
    this.calls.push({ atMs: nowMs, failed })
    if (!failed || this.order !== null) return
    const long = this.window(LONG, nowMs)
    const fast = this.window(FAST, nowMs)
    const meets = (counts: { ok: number; failed: number }, minimum: number, ratio: number): boolean =>
      counts.ok + counts.failed >= minimum && counts.failed / (counts.ok + counts.failed) >= ratio
    const { settings } = this
    if (settings.fast && meets(fast, FAST.minimumCalls, FAST.failureRatio)) this.open(nowMs)
    else if (meets(long, settings.minimumCalls, settings.failureRatio)) this.open(nowMs)
  }

  probed(slot: Slot, verdict: 'ok' | 'failed' | 'void', nowMs: number): void {
    this.pass(nowMs)
    if (this.state !== 'half-open' || !this.slots.includes(slot) || slot.endsMs <= nowMs) return
    this.slots = this.slots.filter(other => other !== slot)
    if (verdict === 'failed') {
      this.failed += 1
      if (this.failed > this.settings.tolerated) this.open(nowMs)
    }
    if (verdict === 'ok') {
      this.passed += 1
      if (this.passed < this.settings.successes) return
      this.closedSinceMs = nowMs
      this.share = 0
      if (this.settings.ramp) this.move('ramping', nowMs + RAMP_MS)
      else this.move('closed', 0)
    }
  }

  force(target: 'forced-open' | 'disabled', endsMs: number, nowMs: number): void {
    const changed = this.order?.target !== target
    this.order = { target, endsMs }
    if (changed) this.reset(nowMs)
  }
}

type Step =
  | { readonly kind: 'call'; readonly ends: 'ok' | 'fail' | 'ignored' }
  | { readonly kind: 'burst'; readonly calls: number; readonly ends: 'ok' | 'fail' }
  | { readonly kind: 'begin' }
  | { readonly kind: 'end'; readonly which: number; readonly ends: 'ok' | 'fail' }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'order'; readonly target: 'open' | 'disabled'; readonly forMs: number }
  | { readonly kind: 'release' }
  | { readonly kind: 'reset' }

const ends = fc.constantFrom('ok' as const, 'fail' as const)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('burst' as const), calls: fc.integer({ min: 2, max: 12 }), ends }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('call' as const),
      ends: fc.constantFrom('ok', 'fail', 'fail', 'ignored'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('begin' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('end' as const), which: fc.nat(5), ends }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.constantFrom(1, 50, 249, 250, 500, 1_000, 2_000, 4_000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('order' as const),
      target: fc.constantFrom('open' as const, 'disabled' as const),
      forMs: fc.constantFrom(1_000, 1_500),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('release' as const, 'reset' as const) }) },
) as fc.Arbitrary<Step>

// Chance alone seldom gets far into a recovery.
const recovery: fc.Arbitrary<Step[]> = fc
  .record({ hangMs: fc.constantFrom(250, 1_499, 1_500, 2_000), ends, rampMs: fc.constantFrom(0, 250, 500) })
  .map(({ hangMs, ends: outcome, rampMs }): Step[] => [
    { kind: 'release' },
    { kind: 'burst', calls: 12, ends: 'fail' },
    { kind: 'wait', ms: 4_000 },
    { kind: 'begin' },
    { kind: 'wait', ms: hangMs },
    { kind: 'end', which: 0, ends: outcome },
    { kind: 'burst', calls: 4, ends: 'ok' },
    { kind: 'wait', ms: rampMs },
    { kind: 'burst', calls: 12, ends: 'ok' },
  ])
const steps: fc.Arbitrary<Step[]> = fc
  .array(fc.oneof({ weight: 8, arbitrary: step.map(one => [one]) }, { weight: 1, arbitrary: recovery }), {
    minLength: 1,
    maxLength: 60,
  })
  .map(parts => parts.flat())

const settingsOf: fc.Arbitrary<Settings> = fc.record({
  minimumCalls: fc.integer({ min: 1, max: 8 }),
  failureRatio: fc.constantFrom(0.25, 0.5, 1),
  fast: fc.boolean(),
  probes: fc.integer({ min: 1, max: 3 }),
  successes: fc.integer({ min: 1, max: 3 }),
  tolerated: fc.integer({ min: 0, max: 2 }),
  ramp: fc.boolean(),
})

function optionsOf(settings: Settings): Partial<BreakerOptions> {
  return {
    windows: { long: LONG, fast: settings.fast ? FAST : false },
    minimumCalls: settings.minimumCalls,
    failureRatio: settings.failureRatio,
    coolOff: { baseMs: BASE_MS, maxMs: MAX_MS, jitter: 0, forgiveMs: FORGIVE_MS },
    halfOpen: {
      probes: settings.probes,
      successes: settings.successes,
      tolerated: settings.tolerated,
      leaseMs: LEASE_MS,
    },
    ramp: settings.ramp ? { fromShare: 0.1, lengthMs: RAMP_MS, minRate: 0 } : false,
    isIgnored: error => error === 'ignored',
  }
}

interface Pending {
  readonly settle: (outcome: 'ok' | 'fail' | 'ignored') => Promise<void>
}

class Run {
  readonly local: ReturnType<typeof localBreaker>
  readonly model: Model
  readonly pending: Pending[] = []

  constructor(settings: Settings) {
    this.local = localBreaker(optionsOf(settings))
    this.model = new Model(settings, this.local.clock.monotonic())
  }

  async begin(): Promise<Pending | null> {
    const { breaker, clock } = this.local
    const { model } = this
    const nowMs = clock.monotonic()
    const expected = model.ask(nowMs)
    const slot = { endsMs: nowMs + LEASE_MS }
    if (expected === 'probe') model.slots.push(slot)
    const { generation } = model
    const work = Promise.withResolvers<string>()
    let seen: 'run' | 'probe' | 'reject' = 'reject'
    const call = breaker
      .run(({ probe }) => {
        seen = probe ? 'probe' : 'run'
        return work.promise
      })
      .catch((error: unknown) => error)
    expect(seen).toBe(expected)
    if (seen === 'reject') {
      expect(await call).toMatchObject({ code: 'ERR_BREAKER_OPEN' })
      return null
    }
    return {
      async settle(outcome) {
        const endMs = clock.monotonic()
        if (expected === 'probe')
          model.probed(slot, outcome === 'ok' ? 'ok' : outcome === 'fail' ? 'failed' : 'void', endMs)
        else if (outcome !== 'ignored') model.ended(generation, outcome === 'fail', endMs)
        if (outcome === 'ok') work.resolve('ok')
        else work.reject(outcome === 'ignored' ? 'ignored' : new ServiceError('down'))
        await call
      },
    }
  }

  async step(next: Step): Promise<void> {
    const { breaker, clock } = this.local
    const nowMs = clock.monotonic()
    const who = { by: 'ada', reason: 'model' }
    switch (next.kind) {
      case 'call':
        await (await this.begin())?.settle(next.ends)
        return
      case 'burst':
        for (let n = 0; n < next.calls; n += 1) await (await this.begin())?.settle(next.ends)
        return
      case 'begin': {
        const pending = await this.begin()
        if (pending !== null) this.pending.push(pending)
        return
      }
      case 'end': {
        const [pending] = this.pending.splice(next.which % Math.max(1, this.pending.length), 1)
        await pending?.settle(next.ends)
        return
      }
      case 'wait':
        await clock.advance(next.ms)
        return
      case 'order': {
        this.model.pass(nowMs)
        await breaker.force(next.target, { ...who, forMs: next.forMs })
        this.model.force(next.target === 'open' ? 'forced-open' : 'disabled', nowMs + next.forMs, nowMs)
        return
      }
      case 'release':
        this.model.pass(nowMs)
        await breaker.release(who)
        if (this.model.order !== null) this.model.endOrder(nowMs)
        return
      case 'reset':
        this.model.pass(nowMs)
        if (this.model.order !== null)
          await expect(breaker.force('closed', who)).rejects.toMatchObject({ code: 'ERR_BREAKER_HELD' })
        else {
          await breaker.force('closed', who)
          this.model.reset(nowMs)
        }
    }
  }

  compare(): void {
    const { breaker, clock } = this.local
    const { model } = this
    const nowMs = clock.monotonic()
    model.pass(nowMs)
    const snapshot = breaker.snapshot()
    const long = model.window(LONG, nowMs)
    expect({
      state: snapshot.state,
      opens: snapshot.opens,
      long: snapshot.windows.long,
      fast: snapshot.windows.fast,
      dueInMs: Math.round(snapshot.dueInMs),
    }).toEqual({
      state: model.order?.target ?? model.state,
      opens: model.opensNow(nowMs),
      long: { ...long, slow: 0 },
      fast: model.settings.fast ? { ...model.window(FAST, nowMs), slow: 0 } : null,
      dueInMs: Math.max(
        0,
        (model.order?.endsMs ?? (model.state === 'half-open' ? nowMs : model.untilMs || nowMs)) - nowMs,
      ),
    })
  }
}

test('the own part agrees with a reference model, whatever happens [claim 22]', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(settingsOf, steps, async (settings, all) => {
      const run = new Run(settings)
      run.compare()
      for (const next of all) {
        await run.step(next)
        run.compare()
      }
      await run.local.breaker[Symbol.asyncDispose]()
    }),
    { numRuns: 500 },
  )
})
