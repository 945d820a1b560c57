import { closeSync, openSync, writeSync } from 'node:fs'
import { PaperExchangeError } from '../errors.ts'

/** A truth log on disk. */
export interface TruthFile {
  write(line: string): void
  close(): void
}

/**
 * Opens the file a truth log goes to; what stood there is gone, as a restart is a wiped exchange. Each line is written before
 * the answer it belongs to leaves, so that it survives a crash of this process.
 *
 * @throws {PaperExchangeError} `ERR_PAPER_FILE`
 */
export function openTruthFile(path: string): TruthFile {
  try {
    const file = openSync(path, 'w')
    return {
      write: line => void writeSync(file, line.endsWith('\n') ? line : `${line}\n`),
      close: () => closeSync(file),
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new PaperExchangeError('ERR_PAPER_FILE', `${path}: cannot be written: ${reason}`, { cause: error })
  }
}
