/** What the command has of the world. */
export interface CliIo {
  /** Resolves when the text has left the process. */
  print(text: string): Promise<void>
  error(text: string): void
  readonly env: Readonly<Record<string, string | undefined>>
  readonly color: boolean
  readonly signal: AbortSignal
}
