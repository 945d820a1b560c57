import { globSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'

import { describe, expect, test } from 'vitest'

import { checks } from '../src/catalogue.gen.ts'
import { catalogue } from '../src/index.ts'
import { renderCatalogue } from '../tools/generate-catalogue.ts'

const SRC = fileURLToPath(new URL('../src/', import.meta.url))

describe('the catalogue', () => {
  test('is generated from the folder: pnpm generate was run', () => {
    expect(readFileSync(`${SRC}catalogue.gen.ts`, 'utf8')).toBe(renderCatalogue())
  })

  test('has a file per check, whose name is the id and whose folder is the group', () => {
    const files = globSync('checks/*/*.ts', { cwd: SRC }).map(file => file.replaceAll('\\', '/'))
    expect(files.map(file => `${file.split('/')[1]} ${basename(file, '.ts')}`).sort()).toEqual(
      catalogue.map(({ group, id }) => `${group} ${id}`).sort(),
    )
  })

  test('says of each check why, when, how to end it, and what it protects', () => {
    for (const check of checks) {
      expect(check.caps).toMatch(/^[FWI.]{4}$/)
      expect(check.why.length).toBeGreaterThan(40)
      expect(check.thresholds).not.toBe('')
      expect(check.remedy.text).not.toBe('')
      expect(check.guarantees.length).toBeGreaterThan(0)
    }
  })

  test('has the fast and the blocking checks of the design, and no others', () => {
    expect(
      catalogue
        .filter(({ fast }) => fast)
        .map(({ id }) => id)
        .sort(),
    ).toEqual(
      (
        'aof-health cluster-state data-loss evictions failover-in-progress loading memory-headroom out-of-memory rdb-health ' +
        'reachable replica-count role sentinel-quorum'
      ).split(' '),
    )
    expect(
      catalogue
        .filter(({ blocking }) => blocking)
        .map(({ id }) => id)
        .sort(),
    ).toEqual(
      'cluster-state endpoint-mode key-pattern loading out-of-memory required-commands role script-commands'.split(' '),
    )
  })
})
