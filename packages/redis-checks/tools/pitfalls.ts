// Runs the pitfall suite on every installed ioredis and writes what it measured to src/evidence.json, which `client-version`
// and `doctor --explain` read.
//
//   node packages/redis-checks/tools/pitfalls.ts
//
// Exit code 1, and nothing is written, when a pitfall does no harm any more, its remedy does not end it, or it was not
// measured on every version.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { TaskMeta } from 'vitest'
import { startVitest } from 'vitest/node'

import { rows } from '../test/pitfalls/rows.ts'
import type { Row, RowName } from '../test/pitfalls/rows.ts'

const ROOT = join(import.meta.dirname, '../../..')
const FILE = join(import.meta.dirname, '../src/evidence.json')

type Measured = NonNullable<TaskMeta['evidence']>
interface Evidence extends Row {
  readonly version: string
  readonly row: RowName
  readonly figure: string
}

/** What the tests measured; nothing when one failed. */
async function measure(): Promise<Measured[]> {
  const vitest = await startVitest(['packages/redis-checks/test/pitfalls'], { root: ROOT, watch: false })
  try {
    const modules = vitest.state.getTestModules()
    if (!modules.every(module => module.ok())) return []
    return modules
      .flatMap(module => [...module.children.allTests()].map(test => test.meta().evidence))
      .filter(item => item !== undefined)
  } finally {
    await vitest.close()
  }
}

/** One row per pitfall and version; what several tests of a pitfall measured is joined. */
function evidenceOf(measured: readonly Measured[]): Evidence[] {
  const versions = [...new Set(measured.map(({ version }) => version))].sort((a, b) => (a < b ? 1 : -1))
  return Object.entries(rows).flatMap(([name, { harm, checks }]) =>
    versions.map(version => {
      const figures = measured.filter(item => item.row === name && item.version === version).map(item => item.figure)
      return { version, row: name as RowName, harm, figure: figures.join('; '), checks }
    }),
  )
}

/** As the formatter of this repository writes it: a list of checks on one line. */
function render(evidence: readonly Evidence[]): string {
  const text = JSON.stringify(evidence, null, 2)
  return `${text.replaceAll(/\[\n\s+("[^\]]*")\n\s+\]/g, (_, items: string) => `[${items.replaceAll(/,\n\s+/g, ', ')}]`)}\n`
}

const evidence = evidenceOf(await measure())
const missing = evidence.filter(({ figure }) => figure === '').map(({ version, row }) => `${row} on ${version}`)
if (evidence.length === 0 || missing.length > 0) {
  process.stderr.write(`pitfalls: nothing written${missing.map(text => `; not measured: ${text}`).join('')}\n`)
  process.exitCode = 1
} else {
  writeFileSync(FILE, render(evidence))
  process.stdout.write(`pitfalls: ${evidence.length} rows written to packages/redis-checks/src/evidence.json\n`)
}
