import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { known, missing } from './fact.ts'
import type { Fact } from './fact.ts'
import { memoryRemedy } from './memory-remedy.ts'
import type { NodeSubject } from './subject.ts'

const MIB = 1024 ** 2
const GIB = 1024 ** 3

function remedyFor(facts: { readonly system?: number; readonly used?: number; readonly limit?: number }) {
  const fact = (value: number | undefined): Fact<number> =>
    value === undefined ? missing('refused', 'INFO', 'refused') : known(value, 'info', 'INFO')
  return memoryRemedy({
    infoNumber: (field: string) => fact(field === 'total_system_memory' ? facts.system : facts.used),
    settingNumber: () => fact(facts.limit),
  } as unknown as NodeSubject)
}

describe('the limit it proposes', () => {
  test('is three quarters of the host, or twice the limit there is', () => {
    expect(remedyFor({ system: 16 * GIB, used: GIB, limit: 0 }).command).toBe('redis-cli CONFIG SET maxmemory 12288mb')
    expect(remedyFor({ system: 16 * GIB, used: GIB, limit: GIB }).command).toBe('redis-cli CONFIG SET maxmemory 2048mb')
    expect(remedyFor({ system: 16 * GIB, used: GIB, limit: 8 * GIB }).command).toBe(
      'redis-cli CONFIG SET maxmemory 12288mb',
    )
  })

  test('is above what is used and above the limit there is, or there is no command', () => {
    const bytes = fc.integer({ min: 1, max: 64 * GIB })
    fc.assert(
      fc.property(bytes, bytes, fc.oneof(fc.constant(0), bytes), (system, used, limit) => {
        const { text, command } = remedyFor({ system, used, limit })
        expect(text).not.toBe('')
        if (command === undefined) return
        const proposed = Number(/maxmemory (\d+)mb$/.exec(command)?.[1]) * MIB
        expect(proposed).toBeGreaterThan(used)
        expect(proposed).toBeGreaterThan(limit)
        expect(proposed).toBeLessThanOrEqual(system * 0.75)
      }),
    )
  })

  test('is no command where a host without room, or a server that shows nothing, gives no number', () => {
    for (const facts of [{}, { system: 0, used: 1, limit: 0 }, { system: 4 * GIB, used: 3.5 * GIB, limit: 0 }]) {
      expect(remedyFor(facts)).not.toHaveProperty('command')
    }
  })
})
