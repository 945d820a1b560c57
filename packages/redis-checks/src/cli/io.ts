import { CliError } from './exit-code.ts'

/** What the command has of the world. */
export interface CliIo {
  /**
   * Resolves when the text has left the process, or its reader has.
   *
   * @throws CliError (4) if it cannot be written
   */
  print(text: string): Promise<void>
  error(text: string): void
  readonly env: Readonly<Record<string, string | undefined>>
  readonly color: boolean
  readonly signal: AbortSignal
}

/** `print` into a stream. It needs an error listener: the stream tells of a failed write in an event too. */
export function printTo(stdout: NodeJS.WritableStream, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stdout.write(text, (error?: NodeJS.ErrnoException | null) => {
      // A reader that has seen enough, such as `head`, is no failure.
      if (!error || error.code === 'EPIPE') resolve()
      else reject(new CliError(4, `stdout cannot be written (${error.code ?? 'unknown error'})`))
    })
  })
}
