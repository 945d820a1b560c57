import { execFile } from 'node:child_process'
import { access, constants, stat } from 'node:fs/promises'
import { delimiter, isAbsolute, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { serverError } from './server-error.ts'

const run = promisify(execFile)

const INSTALL =
  'Install it (Debian, Ubuntu: apt-get install redis-server; macOS: brew install redis; Fedora: dnf install valkey), ' +
  'or set SAFETY_REDIS_SERVER to the path of a redis-server or valkey-server binary'

export interface RedisBinary {
  /** Absolute path. */
  path: string
  /** As the binary prints it, for example `7.0.15`. */
  version: string
}

export interface ResolveRedisServerOptions {
  /** A path, or a name to look up on the PATH. Goes before everything else; there is no fallback. */
  binary?: string
  /** Where `SAFETY_REDIS_SERVER` and `PATH` are read. @default process.env */
  env?: NodeJS.ProcessEnv
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}

async function locate(nameOrPath: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  if (isAbsolute(nameOrPath) || nameOrPath.includes('/')) {
    const path = resolve(nameOrPath)
    return (await isExecutable(path)) ? path : undefined
  }
  for (const folder of (env.PATH ?? '').split(delimiter)) {
    const path = resolve(join(folder, nameOrPath))
    if (folder !== '' && (await isExecutable(path))) return path
  }
  return undefined
}

async function readVersion(path: string): Promise<string> {
  let output: string
  try {
    output = (await run(path, ['--version'], { timeout: 10_000 })).stdout
  } catch (cause) {
    throw serverError(`${path} --version failed. ${INSTALL}`, cause)
  }
  const version = /\bv=(\d+\.\d+\.\d+)/.exec(output)?.[1]
  if (version === undefined)
    throw serverError(`${path} --version does not look like a Redis or Valkey server. ${INSTALL}`)
  return version
}

/**
 * Finds the server binary: `binary`, else `SAFETY_REDIS_SERVER`, else `redis-server`, else `valkey-server` on the PATH.
 * A binary that was named and is not there is an error, never a reason to look further.
 *
 * @throws `ERR_REDIS_SERVER` (no retry helps) when there is none; the message says what to install
 */
export async function resolveRedisServer(options: ResolveRedisServerOptions = {}): Promise<RedisBinary> {
  const env = options.env ?? process.env
  const configured = env.SAFETY_REDIS_SERVER === '' ? undefined : env.SAFETY_REDIS_SERVER
  const named = options.binary ?? configured
  const candidates = named === undefined ? ['redis-server', 'valkey-server'] : [named]
  for (const candidate of candidates) {
    const path = await locate(candidate, env)
    if (path !== undefined) return { path, version: await readVersion(path) }
  }
  const where =
    named === undefined ? 'on the PATH' : options.binary === undefined ? 'named by SAFETY_REDIS_SERVER' : 'given'
  throw serverError(
    `no Redis server binary: ${candidates.join(' or ')} (${where}) is not an executable file. ${INSTALL}`,
  )
}
