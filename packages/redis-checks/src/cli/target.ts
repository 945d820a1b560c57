import { readFileSync } from 'node:fs'

import { parseRedisUrl } from '@safety/redis-core'
import type { ConnectTarget, Nodes } from '@safety/redis-core'

import { harmlessPath, harmlessVariable } from '../harmless.ts'
import { CliError } from './exit-code.ts'

export interface TargetOptions {
  readonly sentinel?: string
  readonly cluster?: boolean
  readonly username?: string
  readonly passwordEnv?: string
  readonly tlsCa?: string
}

/** Where to look: one URL of any form, or nodes of a Cluster, or sentinels and a master name. */
export function toTarget(
  urls: readonly string[],
  options: TargetOptions,
  env: Readonly<Record<string, string | undefined>>,
): ConnectTarget {
  const given =
    urls.length > 0 ? urls : env['REDIS_URL'] === undefined || env['REDIS_URL'] === '' ? [] : [env['REDIS_URL']]
  const [first] = given
  if (first === undefined) throw new CliError(2, 'no URL: give one, or set REDIS_URL')
  if (options.sentinel !== undefined && options.cluster === true) {
    throw new CliError(2, '--sentinel and --cluster exclude each other')
  }
  const targets = given.map(readUrl)
  return withAccess(joined(targets, options), options, env)
}

function joined(targets: readonly ConnectTarget[], { sentinel, cluster }: TargetOptions): ConnectTarget {
  const [first] = targets
  if (first === undefined) throw new CliError(2, 'no URL: give one, or set REDIS_URL')
  if (sentinel === undefined && cluster !== true) {
    if (targets.length > 1) throw new CliError(2, 'several URLs need --cluster or --sentinel <name>')
    return first
  }
  const { username, password, tls } = first
  const access = {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls }),
  }
  const nodes: Nodes = targets.flatMap(target => nodesOf(target))
  if (sentinel === undefined) return { kind: 'cluster', nodes, ...access }
  return { kind: 'sentinel', sentinels: nodes, master: sentinel, ...access }
}

function nodesOf(target: ConnectTarget): Nodes {
  if (target.kind === 'cluster') return target.nodes
  return target.kind === 'sentinel' ? target.sentinels : [{ host: target.host, port: target.port }]
}

function readUrl(url: string): ConnectTarget {
  try {
    return parseRedisUrl(url)
  } catch (error) {
    // The message names the forms and never repeats the URL.
    throw new CliError(2, error instanceof Error ? error.message : 'the URL is malformed')
  }
}

function withAccess(
  target: ConnectTarget,
  { username, passwordEnv, tlsCa }: TargetOptions,
  env: Readonly<Record<string, string | undefined>>,
): ConnectTarget {
  const password = passwordEnv === undefined ? undefined : env[passwordEnv]
  if (passwordEnv !== undefined && (password === undefined || password === '')) {
    const named = harmlessVariable(passwordEnv) ?? 'of that name'
    throw new CliError(2, `--password-env: the variable ${named} is not set`)
  }
  return {
    ...target,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tlsCa === undefined ? {} : { tls: { ca: readText(tlsCa, '--tls-ca') } }),
  }
}

export function readText(path: string, option: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new CliError(2, `${option}: ${fileFault(error, path)}`)
  }
}

/** Why a file cannot be used, and which. */
export function fileFault(error: unknown, path: string): string {
  const { code = 'not accessible' } = error as NodeJS.ErrnoException
  const named = harmlessPath(path)
  return named === undefined ? code : `${code}: ${named}`
}

/** A JSON file; text that begins like JSON is taken itself. */
export function readJson(value: string, option: string): unknown {
  const text = /^\s*[[{]/.test(value) ? value : readText(value, option)
  try {
    return JSON.parse(text)
  } catch {
    throw new CliError(2, `${option}: not valid JSON`)
  }
}
