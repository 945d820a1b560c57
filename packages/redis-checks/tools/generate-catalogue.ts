// Writes src/catalogue.gen.ts from the files of src/checks: adding a check is adding one file.
//
//   node tools/generate-catalogue.ts
import { globSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'

const root = join(import.meta.dirname, '..')
const GROUPS = ['client', 'server', 'memory', 'persistence', 'replication', 'cluster', 'sentinel', 'access']

/** The text of the generated module. */
export function renderCatalogue(): string {
  const files = globSync('src/checks/*/*.ts', { cwd: root })
    .filter(file => !file.endsWith('.test.ts'))
    .map(file => file.replaceAll('\\', '/'))
    .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
  const named = files.map(file => ({ name: camel(basename(file, '.ts')), path: file.replace(/^src\//, './') }))
  return [
    '// Generated from src/checks by tools/generate-catalogue.ts; do not edit.',
    "import type { Check } from './check.ts'",
    ...named.map(({ name, path }) => `import { ${name} } from '${path}'`),
    '',
    '/** Every check, by group and id. */',
    'export const checks: readonly Check[] = [',
    ...named.map(({ name }) => `  ${name},`),
    ']',
    '',
  ].join('\n')
}

function rank(file: string): number {
  return GROUPS.indexOf(file.split('/')[2] ?? '')
}

function camel(id: string): string {
  return id.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

if (import.meta.main) writeFileSync(join(root, 'src/catalogue.gen.ts'), renderCatalogue())
