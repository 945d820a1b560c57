import { channel as diagnosticsChannel } from 'node:diagnostics_channel'

import { afterEach, describe, expect, test, vi } from 'vitest'

import { createChannel } from './channel.ts'

type Event = { type: 'tick'; n: number }

let names = 0
const fresh = (): string => `test-channel-${++names}`
const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))
const turns = async (count: number): Promise<void> => {
  for (let index = 0; index < count; index++) await turn()
}
const tick = (n: number) => (): Event => ({ type: 'tick', n })

afterEach(() => vi.restoreAllMocks())

describe('a channel', () => {
  test('makes no event while nobody listens', () => {
    const make = vi.fn(tick(1))
    createChannel<Event>(fresh()).emitter()(make)
    expect(make).not.toHaveBeenCalled()
  })

  test('delivers in order, and not before the emitting code is through', async () => {
    const got: number[] = []
    const emit = createChannel<Event>(fresh()).emitter(event => got.push(event.n))
    for (let n = 1; n <= 3; n++) emit(tick(n))
    await Promise.resolve()
    expect(got).toEqual([])
    await turn()
    expect(got).toEqual([1, 2, 3])
  })

  test('publishes on the diagnostics channel safety:<name>', async () => {
    const name = fresh()
    const got: unknown[] = []
    const raw = (message: unknown): void => void got.push(message)
    const channel = createChannel<Event>(name)
    expect(channel.active).toBe(false)
    diagnosticsChannel(`safety:${name}`).subscribe(raw)
    expect(channel.active).toBe(true)
    channel.emitter()(tick(1))
    await turn()
    expect(got).toEqual([{ type: 'tick', n: 1 }])
    diagnosticsChannel(`safety:${name}`).unsubscribe(raw)
    expect(channel.active).toBe(false)
  })

  test('gives onEvent only the events of its own emitter, and subscribers all', async () => {
    const channel = createChannel<Event>(fresh())
    const mine: number[] = []
    const all: number[] = []
    const stop = channel.subscribe(event => all.push(event.n))
    const one = channel.emitter(event => mine.push(event.n))
    const two = channel.emitter()
    one(tick(1))
    two(tick(2))
    await turn()
    expect(mine).toEqual([1])
    expect(all).toEqual([1, 2])
    stop()
    two(tick(3))
    await turn()
    expect(all).toEqual([1, 2])
  })

  test('goes on after a listener that throws or rejects, and warns once', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockReturnValue(undefined)
    const channel = createChannel<Event>(fresh())
    const got: number[] = []
    const stopThrowing = channel.subscribe(() => {
      throw new Error('listener broke')
    })
    const stop = channel.subscribe(event => got.push(event.n))
    const emit = channel.emitter(() => Promise.reject(new Error('rejected')))
    for (let n = 1; n <= 3; n++) expect(() => emit(tick(n))).not.toThrow()
    await turns(3)
    expect(got).toEqual([1, 2, 3])
    expect(warn).toHaveBeenCalledTimes(1)
    stopThrowing()
    stop()
  })

  test('keeps at most 10 000 waiting events, drops the oldest, and says how many', async () => {
    const name = fresh()
    const reports: unknown[] = []
    const onReport = (message: unknown): void => void reports.push(message)
    diagnosticsChannel('safety:redis-core').subscribe(onReport)
    const got: number[] = []
    const emit = createChannel<Event>(name).emitter(event => got.push(event.n))
    for (let n = 1; n <= 25_000; n++) emit(tick(n))
    await turns(60)
    expect(got.length).toBe(10_000)
    expect(got[0]).toBe(15_001)
    expect(got.at(-1)).toBe(25_000)
    expect(reports).toEqual([{ type: 'events-dropped', channel: name, count: 15_000 }])
    diagnosticsChannel('safety:redis-core').unsubscribe(onReport)
  })

  test('lets other work run between a burst of events', async () => {
    const order: string[] = []
    const emit = createChannel<Event>(fresh()).emitter(event => order.push(`event ${event.n}`))
    for (let n = 1; n <= 2000; n++) emit(tick(n))
    await turn()
    order.push('other')
    await turns(10)
    expect(order.indexOf('other')).toBeLessThan(order.indexOf('event 2000'))
    expect(order.length).toBe(2001)
  })

  test('delivers events emitted by listeners too', async () => {
    const got: number[] = []
    const emit = createChannel<Event>(fresh()).emitter(event => {
      got.push(event.n)
      if (event.n < 3) emit(tick(event.n + 1))
    })
    emit(tick(1))
    await turns(5)
    expect(got).toEqual([1, 2, 3])
  })

  test.each(['', 'A', 'a b', 'a:b', '1a'])('refuses the name %j', name => {
    expect(() => createChannel(name)).toThrow(expect.objectContaining({ code: 'ERR_REDIS_OPTIONS' }))
  })
})
