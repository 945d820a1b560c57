// Proves that what we would publish works for someone who has only npm: builds and packs every package, checks the
// archives, installs them into an empty folder, imports and requires every entry, resolves the types, and runs the first
// code block of each README as written.
//
//   node tools/pack-check.ts
//
// Exit 0: all hold. Exit 1: the first thing that does not, with the output of the command that found it.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { startRedis } from '../packages/redis-core/src/testing/index.ts'
import { firstCodeBlock } from './readme/code-block.ts'

const root = join(import.meta.dirname, '..')
const binaries = join(root, 'node_modules/.bin')

interface Packed {
  name: string
  folder: string
  archive: string
  entries: string[]
}

class CheckFailed extends Error {}

function run(command: string, args: string[], cwd: string, env: NodeJS.ProcessEnv = {}): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    timeout: 300_000,
  })
  if (status === 0) return stdout
  const reason = error === undefined ? `exit ${status}` : error.message
  throw new CheckFailed(
    `${[basename(command), ...args].join(' ')} in ${cwd}: ${reason}\n${stdout ?? ''}${stderr ?? ''}`,
  )
}

// As the documented commands call it, so that this runs without a pnpm on the PATH as well.
function pnpm(args: string[], cwd: string): string {
  return run('npx', ['-y', 'pnpm@12', ...args], cwd)
}

function pack(into: string): Packed[] {
  pnpm(['build'], root)
  return readdirSync(join(root, 'packages')).map(short => {
    const folder = join(root, 'packages', short)
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
      name: string
      exports: Record<string, string>
    }
    const { filename } = JSON.parse(pnpm(['pack', '--json', '--pack-destination', into], folder)) as {
      filename: string
    }
    const entries = Object.keys(manifest.exports).filter(entry => !entry.endsWith('.json'))
    return { name: manifest.name, folder, archive: join(into, basename(filename)), entries }
  })
}

function checkArchives(packed: Packed[]): void {
  for (const { archive, folder } of packed) {
    run(join(binaries, 'publint'), ['run', archive, '--strict'], folder)
    run(join(binaries, 'attw'), [archive, '--profile', 'esm-only'], folder)
  }
}

function install(packed: Packed[], consumer: string): void {
  mkdirSync(consumer)
  writeFileSync(join(consumer, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module' }))
  const archives = packed.map(item => item.archive)
  run('npm', ['install', '--no-audit', '--no-fund', ...archives, 'ioredis@6'], consumer)
}

/** Optional peers that an entry needs beyond ioredis are installed by the user of that entry; here, by us. */
function checkEntries(packed: Packed[], consumer: string): void {
  const specifiers = packed.flatMap(item => item.entries.map(entry => `${item.name}${entry.slice(1)}`))
  const list = JSON.stringify(specifiers)
  writeFileSync(join(consumer, 'import.mjs'), `for (const name of ${list}) await import(name)\n`)
  writeFileSync(join(consumer, 'require.cjs'), `for (const name of ${list}) require(name)\n`)
  run(process.execPath, ['import.mjs'], consumer)
  run(process.execPath, ['require.cjs'], consumer)
  const lines = specifiers.map((name, at) => `import * as entry${at} from '${name}'\n`)
  const uses = specifiers.map((_, at) => `entry${at}`).join(', ')
  writeFileSync(join(consumer, 'types.mts'), `${lines.join('')}export const all: readonly object[] = [${uses}]\n`)
  const flags = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2024', '--types', 'node']
  const typeRoots = ['--typeRoots', join(root, 'node_modules/@types')]
  run(join(binaries, 'tsc'), [...flags, ...typeRoots, 'types.mts'], consumer)
}

async function checkFirstBlocks(packed: Packed[], consumer: string): Promise<void> {
  await using redis = await startRedis()
  for (const { name } of packed) {
    const readme = readFileSync(join(consumer, 'node_modules', name, 'README.md'), 'utf8')
    const file = `${basename(name)}-quickstart.ts`
    writeFileSync(join(consumer, file), firstCodeBlock(readme, name))
    run(process.execPath, [file], consumer, { REDIS_URL: redis.url })
  }
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'safety-pack-'))
  try {
    const packed = pack(folder)
    checkArchives(packed)
    const consumer = join(folder, 'consumer')
    install(packed, consumer)
    checkEntries(packed, consumer)
    await checkFirstBlocks(packed, consumer)
    process.stdout.write(
      `pack: ${packed.map(item => item.name).join(', ')} install, import, require, resolve and run\n`,
    )
  } catch (error) {
    if (!(error instanceof CheckFailed)) throw error
    process.stderr.write(`pack: ${error.message}\n`)
    process.exitCode = 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

await main()
