import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { createHarness, must } from './engine-harness.ts'
import { script } from './engine-script.ts'

const run = promisify(execFile)

describe('determinism [claim 16]', () => {
  test('equal seed and requests on a manual clock give byte-equal truth logs', () => {
    const first = script('1')
    expect(first.length).toBeGreaterThan(200)
    expect(script('1').join('\n')).toBe(first.join('\n'))
    expect(script('2').join('\n')).not.toBe(first.join('\n'))
  })

  test('another process writes the same bytes', async () => {
    const file = new URL('./engine-script.ts', import.meta.url).pathname
    const { stdout } = await run(process.execPath, [file, '1'], { maxBuffer: 2 ** 26 })
    expect(stdout.trimEnd()).toBe(script('1').join('\n'))
  })

  test('how the clock is advanced changes nothing', () => {
    expect(script('1', 1).join('\n')).toBe(script('1', 977).join('\n'))
  })

  test('the log holds each fact before the events that tell it, numbered without a gap', () => {
    const { engine, accepted } = createHarness()
    accepted({ type: 'MARKET', quantity: '1.5', newClientOrderId: 'x' })
    const kinds = engine.truth.all().map(entry => (entry.type === 'event' ? entry.event : entry.type))
    expect(kinds).toEqual([
      'wipe',
      'accepted',
      'fill',
      'fill',
      'executionReport',
      'executionReport',
      'executionReport',
      'outboundAccountPosition',
    ])
    expect(engine.truth.all().map(entry => entry.seq)).toEqual(kinds.map((_, index) => index + 1))
    must(engine.state('demo'))
  })
})
