import { CliError } from './exit.ts'

/** Everything a command touches of its process. */
export interface CliIo {
  readonly stdin: NodeJS.ReadableStream
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean }
  readonly stderr: NodeJS.WritableStream
  /** Whether a person can be asked. */
  readonly interactive: boolean
  /** Used without `--redis`. */
  readonly redisUrl: string | undefined
  /** Stops the command; its reason is the signal's name. */
  readonly signal: AbortSignal
}

/**
 * Resolves when the line has left the process, or its reader has: of that the stream's error event tells.
 *
 * @throws CliError (3) if it cannot be written, naming what holds all the same
 */
export function print({ stdout }: Pick<CliIo, 'stdout'>, text: string, holds = ''): Promise<void> {
  return new Promise((resolve, reject) => {
    stdout.write(`${text}\n`, (error?: NodeJS.ErrnoException | null) => {
      if (!error || error.code === 'EPIPE') resolve()
      else reject(new CliError(3, `${holds}stdout cannot be written (${error.code ?? 'unknown error'})`))
    })
  })
}
