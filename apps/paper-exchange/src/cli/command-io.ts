/** Where a command writes, and what tells it to stop. */
export interface CommandIo {
  out(text: string): void
  err(text: string): void
  /** Tables instead of JSON. */
  isTerminal: boolean
  /** Resolves when the process is asked to end. */
  stopRequested: Promise<void>
}
