import { readFileSync } from 'node:fs'
import { PaperExchangeError } from '../errors.ts'
import { JsonTextError, jsonElements } from '../market/json-elements.ts'

/** One fault of a file, still unchecked, with the line it begins on. */
export interface FileFault {
  line: number
  value: unknown
}

/** Reads a file with one fault or an array of them. @throws {PaperExchangeError} `ERR_PAPER_FILE` naming file and line. */
export function readFaultFile(path: string): FileFault[] {
  const text = readText(path).trimStart()
  const isList = text.startsWith('[')
  try {
    return jsonElements(isList ? text : `[${text}]`)
  } catch (error) {
    if (error instanceof JsonTextError) {
      throw new PaperExchangeError('ERR_PAPER_FILE', `${path} line ${error.line}: ${error.message}`, { cause: error })
    }
    throw error
  }
}

/** Reads a text file. @throws {PaperExchangeError} `ERR_PAPER_FILE` */
export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new PaperExchangeError('ERR_PAPER_FILE', `${path}: cannot be read: ${reason}`, { cause: error })
  }
}
