import { readFaultFile } from '../cli/fault-file.ts'
import type { CommandIo } from '../cli/command-io.ts'
import { openTruthFile } from '../cli/truth-file.ts'
import { PaperExchangeError } from '../errors.ts'
import { createFaultyProxy } from './create-proxy.ts'

/** Options of `proxy` as commander hands them over. */
export interface ProxyFlags {
  upstream: string
  faults: string | undefined
  port: number
  seed: number
  truth: string | undefined
  json: boolean | undefined
}

/** Runs the proxy until a signal. */
export async function runProxy(flags: ProxyFlags, io: CommandIo): Promise<void> {
  const faults = flags.faults === undefined ? [] : readFaultFile(flags.faults)
  const truth = flags.truth === undefined ? undefined : openTruthFile(flags.truth)
  try {
    await using proxy = await createFaultyProxy({
      upstream: flags.upstream,
      port: flags.port,
      seed: flags.seed,
      truthSink: truth === undefined ? undefined : line => truth.write(line),
    })
    for (const { line, value } of faults) {
      const added = proxy.inject(value)
      if (!added.ok) throw new PaperExchangeError('ERR_PAPER_FILE', `${flags.faults} line ${line}: ${added.msg}`)
    }
    const { urls, upstream, controlToken } = proxy
    io.out(
      flags.json === true
        ? `${JSON.stringify({ event: 'ready', ...urls, upstream, controlToken })}\n`
        : `proxy ${urls.rest} in front of ${upstream}\n  control ${urls.control}   X-Paper-Token: ${controlToken}\nStop with Ctrl-C.\n`,
    )
    await io.stopRequested
  } finally {
    truth?.close()
  }
}
