import { closeSync, openSync, writeFileSync } from 'node:fs'

import { connectRedis } from '@safety/redis-core'

import { RedisChecksOptionsError } from '../errors.ts'
import { formatReport } from '../format/format-report.ts'
import type { Format } from '../format/format-report.ts'
import { harmlessPath } from '../harmless.ts'
import type { CheckOptions } from '../options.ts'
import { resolveOptions } from '../options.ts'
import { checkOnce } from '../redis-checks.ts'
import type { Profile } from '../level.ts'
import { CliError, exitCodeOf } from './exit-code.ts'
import type { ExitCode } from './exit-code.ts'
import type { CliIo } from './io.ts'
import { isKnownCheck, noSuchCheck } from './known-checks.ts'
import { fileFault, readJson, toTarget } from './target.ts'
import type { TargetOptions } from './target.ts'

export interface DoctorOptions extends TargetOptions {
  readonly profile: Profile
  readonly format: Format
  readonly json?: boolean
  readonly output?: string
  readonly expect?: string
  readonly ack?: string
  readonly only?: string
  readonly skip?: string
  readonly failOn: 'fail' | 'warn'
  readonly unknownAs?: 'fail' | 'warn'
  readonly timeoutMs?: number
  readonly writeProbe: boolean
  readonly all?: boolean
  readonly sarifFile?: string
}

/** One report. Everything that can be wrong about the call is found before any contact. */
export async function runDoctor(urls: readonly string[], options: DoctorOptions, io: CliIo): Promise<ExitCode> {
  const target = toTarget(urls, options, io.env)
  const resolved = asUsage(() => resolveOptions(toCheckOptions(options, io.signal)))
  const redis = asUsage(() => connectRedis(target, { profile: 'checks' }))
  const file = options.output === undefined ? undefined : openOutput(options.output)
  try {
    const report = await checkOnce(redis, resolved)
    const format = options.json === true ? 'json' : options.format
    const text = formatReport(report, format, {
      color: io.color && file === undefined,
      all: options.all === true,
      ...(options.sarifFile === undefined ? {} : { sarifFile: options.sarifFile }),
    })
    if (file === undefined) await io.print(text)
    else write(file, text, options.output)
    return exitCodeOf(report, options.failOn, resolved.unknownAs)
  } finally {
    redis.disconnect()
    if (file !== undefined) closeSync(file)
  }
}

function toCheckOptions(options: DoctorOptions, signal: AbortSignal): CheckOptions {
  const given: Record<string, unknown> = {
    profile: options.profile,
    clientRole: 'none',
    writeProbe: options.writeProbe,
    signal,
    ...(options.expect === undefined ? {} : { expect: readJson(options.expect, '--expect') }),
    ...(options.ack === undefined ? {} : { acknowledge: readJson(options.ack, '--ack') }),
    ...(options.only === undefined ? {} : { only: idsOf(options.only, '--only') }),
    ...(options.skip === undefined ? {} : { skip: idsOf(options.skip, '--skip') }),
    ...(options.unknownAs === undefined ? {} : { unknownAs: options.unknownAs }),
    ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
  }
  // Files may hold anything; resolveOptions reads them by schema.
  return given as unknown as CheckOptions
}

function idsOf(text: string, option: string): string[] {
  const ids = text
    .split(',')
    .map(id => id.trim())
    .filter(id => id !== '')
  const [stranger] = ids.filter(id => !isKnownCheck(id))
  if (stranger !== undefined) throw new CliError(2, `${option}: ${noSuchCheck(stranger)}`)
  // Nothing to run would end in 0, which says that something was looked at.
  if (ids.length === 0) throw new CliError(2, `${option}: names no check`)
  return ids
}

/** Where an option of the command sits in the options of the library. */
const FLAGS: Readonly<Record<string, string>> = {
  acknowledge: '--ack',
  expect: '--expect',
  only: '--only',
  skip: '--skip',
  timeoutMs: '--timeout-ms',
  unknownAs: '--unknown-as',
}

function inWordsOfTheCommand(error: Error): string {
  const field = error instanceof RedisChecksOptionsError ? error.field : ''
  const flag = FLAGS[field.split('.')[0] ?? '']
  return flag === undefined ? error.message : `${flag}: ${error.message}`
}

function openOutput(path: string): number {
  try {
    return openSync(path, 'w')
  } catch (error) {
    throw new CliError(2, `--output: ${fileFault(error, path)}`)
  }
}

/** A disk that is full shows only now. */
function write(file: number, text: string, path = ''): void {
  try {
    writeFileSync(file, text)
  } catch (error) {
    const { code = 'not written' } = error as NodeJS.ErrnoException
    throw new CliError(4, `--output: ${code}: ${harmlessPath(path) ?? 'the file'} is not complete`)
  }
}

function asUsage<T>(run: () => T): T {
  try {
    return run()
  } catch (error) {
    const { code } = error as { code?: unknown }
    const usage =
      error instanceof RedisChecksOptionsError || code === 'ERR_REDIS_TARGET' || code === 'ERR_REDIS_OPTIONS'
    throw usage ? new CliError(2, inWordsOfTheCommand(error as Error)) : error
  }
}
