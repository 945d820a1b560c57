import type { RedisServer } from '@safety/redis-core/testing'
import { describe, expect, test } from 'vitest'

import { catalogue } from '../../src/index.ts'
import type { Level, Report } from '../../src/index.ts'
import { examine, PROFILES } from '../harness.ts'
import type { Options } from '../harness.ts'

/** Looks at one check in strict, standard, breaker and cache; `-` where it does not run, the worst of several nodes. */
export interface Look {
  readonly levels: (target: string | RedisServer, options?: LookOptions) => Promise<string>
  /** Looks again until it is so: what a server tells of its neighbours or of its load takes its time. */
  readonly settles: (target: string | RedisServer, levels: string, options?: LookOptions) => Promise<void>
}

export interface LookOptions extends Options {
  readonly node?: string
}

const WORST: readonly Level[] = ['fail', 'unknown', 'warn', 'info', 'pass']

/** The levels of a check that finds nothing. */
export function passOf(id: string): string {
  const entry = catalogue.find(item => item.id === id)
  return PROFILES.map(profile => (entry?.caps[profile] === 'off' ? '-' : 'pass')).join(' ')
}

/**
 * The rows of one group of the catalogue. Each flip turns one condition on, sees the level it gives in each profile, and
 * turns it off again; the last look must find nothing. A row without a flip fails the group.
 */
export function describeLevels(group: string, define: (flip: Flip) => void): void {
  describe(`each row of ${group}: one flip gives its level in each profile, undone it passes`, () => {
    const flipped = new Set<string>()
    define((id, condition, body) => {
      flipped.add(id)
      test(`${id}: ${condition}`, async () => {
        const seen: string[] = []
        const levels: Look['levels'] = async (target, options) => {
          const found = await look(id, target, options)
          seen.push(found)
          return found
        }
        await body({
          levels,
          settles: (target, expected, options) =>
            expect.poll(() => levels(target, options), { timeout: 40_000, interval: 100 }).toBe(expected),
        })
        expect(seen.some(found => found !== passOf(id))).toBe(true)
        expect(seen.at(-1)).toBe(passOf(id))
      })
    })
    test('none is left out', () => {
      const ids = catalogue.filter(entry => entry.group === group).map(({ id }) => id)
      expect([...flipped].sort()).toEqual(ids.sort())
    })
  })
}

export type Flip = (id: string, condition: string, body: (look: Look) => Promise<void>) => void

async function look(id: string, target: string | RedisServer, given: LookOptions = {}): Promise<string> {
  const { node, ...options } = given
  const levels: string[] = []
  for (const profile of PROFILES)
    levels.push(worst(await examine(target, { ...options, profile, only: [id] }), id, node))
  return levels.join(' ')
}

function worst({ results }: Report, id: string, node: string | undefined): string {
  const found = results.filter(result => result.id === id && (node === undefined || result.node === node))
  return WORST.find(level => found.some(result => result.level === level)) ?? '-'
}
