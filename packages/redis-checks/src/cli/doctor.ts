import { closeSync, openSync, writeSync } from 'node:fs'

import { connectRedis } from '@safety/redis-core'

import { RedisChecksOptionsError } from '../errors.ts'
import { formatReport } from '../format/format-report.ts'
import type { Format } from '../format/format-report.ts'
import type { CheckOptions } from '../options.ts'
import { resolveOptions } from '../options.ts'
import { checkRedis } from '../redis-checks.ts'
import type { Profile } from '../level.ts'
import { CliError, exitCodeOf } from './exit-code.ts'
import type { ExitCode } from './exit-code.ts'
import type { CliIo } from './io.ts'
import { readJson, toTarget } from './target.ts'
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
  const checkOptions = toCheckOptions(options, io.signal)
  const { unknownAs } = asUsage(() => resolveOptions(checkOptions))
  const file = options.output === undefined ? undefined : openOutput(options.output)
  const redis = asUsage(() => connectRedis(target, { profile: 'checks' }))
  try {
    const report = await checkRedis(redis, checkOptions)
    const format = options.json === true ? 'json' : options.format
    const text = formatReport(report, format, {
      color: io.color && file === undefined,
      all: options.all === true,
      ...(options.sarifFile === undefined ? {} : { sarifFile: options.sarifFile }),
    })
    if (file === undefined) await io.print(text)
    else writeSync(file, text)
    return exitCodeOf(report, options.failOn, unknownAs)
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
    ...(options.only === undefined ? {} : { only: idsOf(options.only) }),
    ...(options.skip === undefined ? {} : { skip: idsOf(options.skip) }),
    ...(options.unknownAs === undefined ? {} : { unknownAs: options.unknownAs }),
    ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
  }
  // Files may hold anything; resolveOptions reads them by schema.
  return given as unknown as CheckOptions
}

function idsOf(text: string): string[] {
  return text
    .split(',')
    .map(id => id.trim())
    .filter(id => id !== '')
}

function openOutput(path: string): number {
  try {
    return openSync(path, 'w')
  } catch (error) {
    throw new CliError(2, `--output: ${(error as NodeJS.ErrnoException).code ?? 'cannot be written'}: ${path}`)
  }
}

function asUsage<T>(run: () => T): T {
  try {
    return run()
  } catch (error) {
    const { code } = error as { code?: unknown }
    const usage =
      error instanceof RedisChecksOptionsError || code === 'ERR_REDIS_TARGET' || code === 'ERR_REDIS_OPTIONS'
    throw usage ? new CliError(2, (error as Error).message) : error
  }
}
