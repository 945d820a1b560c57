// Makes sure a Redis server binary is there before a script that needs one runs.
//
//   node tools/redis/ensure.ts [--unless-url]
//
// Installs only what is missing, only with rights it already has, and says so first. Exit 0: a binary is there.
// Exit 3: none is there and none could be installed; the message names the command to run.
import { spawnSync } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'

type Plan = { say: string; commands: string[][] }

function onPath(name: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter(folder => folder !== '')
  return folders.map(folder => join(folder, name)).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

function succeeds(command: string, args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}

/** The commands that install a server here with the rights we have, or undefined when we have none. */
function installPlan(): Plan | undefined {
  if (onPath('apt-get') !== undefined) {
    const root = process.getuid?.() === 0
    if (!root && !(onPath('sudo') !== undefined && succeeds('sudo', ['-n', 'true']))) return undefined
    const asRoot = root ? [] : ['sudo', '-n']
    return {
      say: 'No redis-server found: installing the Debian package redis-server with apt-get (it also registers its service).',
      commands: [
        [...asRoot, 'apt-get', 'update', '-qq'],
        [...asRoot, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', 'install', '-y', '-qq', 'redis-server'],
      ],
    }
  }
  if (onPath('brew') !== undefined) {
    return { say: 'No redis-server found: installing it with Homebrew.', commands: [['brew', 'install', 'redis']] }
  }
  return undefined
}

const ADVICE = [
  'No redis-server or valkey-server was found. Install one and run the command again:',
  '  Debian, Ubuntu:  sudo apt-get install redis-server',
  '  macOS:           brew install redis',
  '  elsewhere:       put redis-server (>= 6.2) or valkey-server on the PATH, or set SAFETY_REDIS_SERVER to its path',
].join('\n')

function haveServer(): boolean {
  const given = process.env['SAFETY_REDIS_SERVER']
  if (given !== undefined && given !== '') {
    if (isExecutable(given)) return true
    process.stderr.write(`SAFETY_REDIS_SERVER is ${given}, which is not an executable file. Correct it or unset it.\n`)
    process.exit(3)
  }
  return onPath('redis-server') !== undefined || onPath('valkey-server') !== undefined
}

function main(args: readonly string[]): number {
  if (args.includes('--unless-url') && (process.env['REDIS_URL'] ?? '') !== '') return 0
  if (haveServer()) return 0
  const plan = installPlan()
  if (plan === undefined) {
    process.stderr.write(`${ADVICE}\n`)
    return 3
  }
  process.stderr.write(`${plan.say}\n`)
  for (const [command, ...rest] of plan.commands) {
    // The installer's own output goes to stderr: stdout belongs to the script that runs next.
    const { status } = spawnSync(command ?? '', rest, { stdio: ['ignore', process.stderr.fd, process.stderr.fd] })
    if (status !== 0) {
      process.stderr.write(`\`${[command, ...rest].join(' ')}\` failed (exit ${status}).\n${ADVICE}\n`)
      return 3
    }
  }
  if (haveServer()) return 0
  process.stderr.write(`The installer reported success, but no server is on the PATH.\n${ADVICE}\n`)
  return 3
}

process.exitCode = main(process.argv.slice(2))
