import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cancelIdOf, intentId, intentIdOf, shortId, type Leg } from './intent.ts'

const vector = { strategy: 'pulse', symbol: 'BTCUSDT', barOpenMs: 1_700_000_040_000, leg: 'entry', seq: 0 } as const
/** What the exchange allows in a client order id. */
const allowed = /^[a-zA-Z0-9-_]{1,36}$/

const names = fc.record({
  strategy: fc.constantFrom('pulse', 'ema-cross'),
  symbol: fc.stringMatching(/^[A-Z0-9]{2,12}$/),
  barOpenMs: fc.integer({ min: 0, max: 4e12 }),
  leg: fc.constantFrom<Leg>('entry', 'exit', 'flatten'),
  seq: fc.nat(1000),
})

describe('intent ids [claim 1]', () => {
  test('the id of the published vector is the same here and in another process', async () => {
    expect(intentId(vector)).toBe('H22WHHDCLYV54Z3QLJBAB4LROM')
    const module = fileURLToPath(new URL('intent.ts', import.meta.url))
    const code = `import { intentId } from ${JSON.stringify(module)}; process.stdout.write(intentId(${JSON.stringify(vector)}))`
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code])
    expect(stdout).toBe('H22WHHDCLYV54Z3QLJBAB4LROM')
  })

  test("every id, and the id of its cancel, passes the exchange's pattern and leads back to the intent", () => {
    fc.assert(
      fc.property(names, name => {
        const id = intentId(name)
        expect(id).toMatch(allowed)
        expect(cancelIdOf(id)).toMatch(allowed)
        expect(intentIdOf(id)).toBe(id)
        expect(intentIdOf(cancelIdOf(id))).toBe(id)
      }),
    )
  })

  test('two names give two ids, and one name always the same', () => {
    fc.assert(
      fc.property(names, names, (a, b) => {
        expect(intentId(a) === intentId(b)).toBe(JSON.stringify(a) === JSON.stringify(b))
      }),
    )
  })

  test('a client order id of someone else is nobody’s intent', () => {
    for (const id of ['web_123', 'h22whhdclyv54z3qljbab4lrom', 'H22WHHDCLYV54Z3QLJBAB4LRO', 'x-c', '']) {
      expect(intentIdOf(id)).toBeUndefined()
    }
    expect(shortId('H22WHHDCLYV54Z3QLJBAB4LROM')).toBe('H22W…ROM')
  })
})
