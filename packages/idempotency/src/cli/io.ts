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
