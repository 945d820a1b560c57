import { createManualClock } from '@safety/redis-core/testing'
import { expect, test } from 'vitest'

import { createScheduler } from './scheduler.ts'
import type { Job } from './scheduler.ts'

function recorder(clock: ReturnType<typeof createManualClock>) {
  const startMs = clock.monotonic()
  const ran: string[] = []
  const job = (name: string, again: () => void = () => undefined): Job => ({
    run(nowMs) {
      ran.push(`${name}@${nowMs - startMs}`)
      again()
    },
  })
  return { ran, job, at: (ms: number) => startMs + ms }
}

test('many jobs share one timer and run in order of their time', async () => {
  const clock = createManualClock()
  const { ran, job, at } = recorder(clock)
  const scheduler = createScheduler(clock)
  const delays = Array.from({ length: 200 }, (_, n) => (n * 37) % 200)
  for (const delay of delays) scheduler.schedule(job(`${delay}`), at(delay))
  expect(clock.pending).toBe(1)
  await clock.advance(200)
  expect(ran).toEqual(delays.toSorted((a, b) => a - b).map(delay => `${delay}@${delay}`))
  expect(clock.pending).toBe(0)
})

test('a later time replaces an earlier one, and an earlier one a later', async () => {
  const clock = createManualClock()
  const { ran, job, at } = recorder(clock)
  const scheduler = createScheduler(clock)
  const moved = job('moved')
  scheduler.schedule(moved, at(10))
  scheduler.schedule(moved, at(50))
  const pulled = job('pulled')
  scheduler.schedule(pulled, at(90))
  scheduler.schedule(pulled, at(20))
  const never = job('never')
  scheduler.schedule(never, at(30))
  scheduler.schedule(never, Infinity)
  await clock.advance(100)
  expect(ran).toEqual(['pulled@20', 'moved@50'])
})

test('a job may set its next time while it runs', async () => {
  const clock = createManualClock()
  const { ran, job, at } = recorder(clock)
  const scheduler = createScheduler(clock)
  const beat: Job = job('beat', () => scheduler.schedule(beat, clock.monotonic() + 10))
  scheduler.schedule(beat, at(10))
  await clock.advance(35)
  expect(ran).toEqual(['beat@10', 'beat@20', 'beat@30'])
  scheduler.remove(beat)
  expect(clock.pending).toBe(0)
  await clock.advance(100)
  expect(ran).toHaveLength(3)
})
