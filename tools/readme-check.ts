// Holds the READMEs against the source, so that neither can drift from the other.
//
//   node tools/readme-check.ts
//
// For each package: the first code block is examples/quickstart.ts word for word; the headings of the template are there;
// the tables of errors, events and options name exactly what src/ has. For every Markdown file: relative links lead
// somewhere and the scripts named in `pnpm …` exist. Exit 1 lists every difference.
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { firstCodeBlock } from './readme/code-block.ts'
import { emittedEvents, namedIn, optionNames, section, tableNames, thrownCodes } from './readme/tables.ts'

const root = join(import.meta.dirname, '..')
const HEADINGS = [
  'Quick start',
  'What it guarantees',
  'Options',
  'Errors',
  'Events',
  'In Redis',
  'When Redis is away',
  'When not to use it',
  'How it works',
]

const problems: string[] = []

function source(folder: string, file: string): string {
  const path = join(folder, 'src', file)
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}

function compare(where: string, what: string, inReadme: Set<string>, inSource: Set<string>): void {
  for (const name of inSource) if (!inReadme.has(name)) problems.push(`${where}: ${what} ${name} is not in the table`)
  for (const name of inReadme) if (!inSource.has(name)) problems.push(`${where}: ${what} ${name} is not in the source`)
}

function checkPackage(folder: string): void {
  const where = relative(root, join(folder, 'README.md'))
  const readme = readFileSync(join(folder, 'README.md'), 'utf8')
  for (const heading of HEADINGS) {
    if (section(readme, heading) === '') problems.push(`${where}: the section "${heading}" is missing or empty`)
  }
  const example = readFileSync(join(folder, 'examples/quickstart.ts'), 'utf8')
  if (firstCodeBlock(readme, where) !== example) {
    problems.push(`${where}: the first code block differs from examples/quickstart.ts`)
  }
  compare(
    where,
    'error',
    namedIn(section(readme, 'Errors'), /\bERR_[A-Z][A-Z_]*\b/g),
    thrownCodes(source(folder, 'errors.ts')),
  )
  compare(where, 'event', tableNames(section(readme, 'Events')), emittedEvents(source(folder, 'events.ts')))
  const documented = tableNames(section(readme, 'Options'))
  for (const name of optionNames(source(folder, 'options.ts'))) {
    if (!documented.has(name)) problems.push(`${where}: option ${name} is not in the table`)
  }
}

function checkMarkdown(path: string, scripts: Set<string>): void {
  const text = readFileSync(path, 'utf8')
  const where = relative(root, path)
  for (const [, target = ''] of text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)/g)) {
    if (!existsSync(join(dirname(path), target))) problems.push(`${where}: the link ${target} leads nowhere`)
  }
  for (const [, script = ''] of text.matchAll(
    /`(?:npx -y )?pnpm(?:@12)? (?!add|install|exec|pack|-)([a-z][a-z:-]*)/g,
  )) {
    if (!scripts.has(script)) problems.push(`${where}: package.json has no script "${script}"`)
  }
}

function checkRootTable(names: string[]): void {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  for (const name of names) {
    if (!readme.includes(`packages/${name}`)) problems.push(`README.md: the package ${name} is not in the table`)
  }
}

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
const names = readdirSync(join(root, 'packages'))
for (const name of names) checkPackage(join(root, 'packages', name))
checkRootTable(names)
const pages = globSync('{*.md,docs/**/*.md,packages/*/README.md,apps/*/README.md,tools/**/README.md}', {
  cwd: root,
  exclude: path => path.includes('node_modules'),
})
for (const page of pages) checkMarkdown(join(root, page), new Set(Object.keys(manifest.scripts)))

if (problems.length > 0) {
  process.stderr.write(`${problems.join('\n')}\nreadme: ${problems.length} differences\n`)
  process.exitCode = 1
} else {
  process.stdout.write(`readme: ${pages.length} pages agree with the source\n`)
}
