import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { TLS_FILES, tlsLines } from './tls.ts'

/** When the append-only file reaches the disk; off is `'no'` or `false`. */
export type AofMode = 'always' | 'everysec' | 'no' | false

export interface ServerSettings {
  host: string
  port: number
  version: string
  aof: AofMode
  /** A sentinel: no settings for data. */
  sentinel?: boolean
  /** More lines for the configuration file. */
  lines?: readonly string[]
  /** Speaks TLS, by the files in its folder. */
  tls?: boolean
  /** A member of a cluster. */
  withBus?: boolean
}

export const CONFIG_FILE = 'redis.conf'
export const LOG_FILE = 'redis.log'
/** What a restart that drops the data leaves in place: who the server is, not what it holds. */
const KEPT_FILES = new Set([CONFIG_FILE, LOG_FILE, 'nodes.conf', ...TLS_FILES])

export function keepsAof(aof: AofMode): boolean {
  return aof === 'always' || aof === 'everysec'
}

export function majorOf(version: string): number {
  return Number.parseInt(version, 10)
}

function dataLines({ aof, version }: ServerSettings): string[] {
  const lines = [
    'save ""',
    `appendonly ${keepsAof(aof) ? 'yes' : 'no'}`,
    ...(keepsAof(aof) ? [`appendfsync ${aof}`] : []),
    // A replica that asks for a copy gets it at once; a production server would wait five seconds for others to join.
    'repl-diskless-sync-delay 0',
  ]
  // An orderly stop keeps the data and waits for nobody; 6.2 has no such settings and is asked by command instead.
  if (majorOf(version) >= 7)
    lines.push(`shutdown-on-sigterm ${keepsAof(aof) ? 'nosave' : 'save'} now force`, 'shutdown-timeout 0')
  return lines
}

/**
 * Writes the configuration file. A file rather than arguments, so that the server can rewrite it when a failover changes
 * its role, and a restart then keeps that role.
 */
export async function writeConfig(directory: string, settings: ServerSettings): Promise<void> {
  const data = settings.sentinel === true ? [] : dataLines(settings)
  const config = [
    `bind ${settings.host}`,
    ...(settings.tls === true
      ? tlsLines(directory, settings.port, settings.withBus === true)
      : [`port ${settings.port}`]),
    'protected-mode no',
    'daemonize no',
    'tcp-backlog 128',
    `dir "${directory}"`,
    ...data,
    ...(settings.lines ?? []),
  ]
  await writeFile(join(directory, CONFIG_FILE), `${config.join('\n')}\n`)
}

/** Removes everything the server stored, and keeps its configuration, its log and its place in a cluster. */
export async function dropData(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!KEPT_FILES.has(name)) await rm(join(directory, name), { recursive: true, force: true })
  }
}
