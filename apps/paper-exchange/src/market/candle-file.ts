import { money, print, type Money } from '../engine/money.ts'
import { MINUTE_MS, type Candle } from './candle.ts'
import { jsonElements, JsonTextError } from './json-elements.ts'

const COLUMNS = 12
const DECIMAL = /^\d{1,15}(\.\d{1,15})?$/
/** Microseconds since 2025 in Binance's own files: a ms value this large would lie in the year 5138. */
const FIRST_MICROSECOND_VALUE = 100_000_000_000_000
const FIELDS = ['open', 'high', 'low', 'close', 'volume'] as const

/** A candle file that cannot be used. A retry does not help: the named line must change. */
export class CandleFileError extends Error {
  readonly code = 'ERR_PAPER_CANDLES'
  readonly retryable = false
  readonly outcome = 'not-run'
  /** 1-based line of the file. */
  readonly line: number

  constructor(line: number, message: string) {
    super(`line ${line}: ${message}`)
    this.name = 'CandleFileError'
    this.line = line
  }
}

interface Row {
  readonly line: number
  readonly openTime: unknown
  /** open, high, low, close, volume. */
  readonly values: readonly unknown[]
}

/**
 * Reads Binance kline CSV (12 columns, times in ms or us, a header line is skipped) or JSON (an array of rows of 12, or of objects
 * with openTime, open, high, low, close, volume). Bars must be whole minutes without a gap; amounts are kept to 8 decimals.
 *
 * @throws {CandleFileError} naming the first bad line.
 */
export function parseCandles(text: string): Candle[] {
  const body = text.startsWith('\uFEFF') ? text.slice(1) : text
  const rows = /^\s*\[/.test(body) ? jsonRows(body) : csvRows(body)
  if (rows.length === 0) throw new CandleFileError(1, 'the file has no bar')
  const candles: Candle[] = []
  for (const row of rows) candles.push(readRow(row, candles.at(-1)))
  return candles
}

function csvRows(text: string): Row[] {
  const rows: Row[] = []
  for (const [index, source] of text.split('\n').entries()) {
    const content = source.trim()
    if (content === '') continue
    const columns = content.split(',').map(column => column.trim())
    const isHeader = index === 0 && /^[a-z_ ]+$/i.test(columns[0] ?? '')
    if (isHeader) continue
    if (columns.length !== COLUMNS) {
      throw new CandleFileError(index + 1, `has ${columns.length} columns, a kline has ${COLUMNS}`)
    }
    rows.push({ line: index + 1, openTime: columns[0], values: columns.slice(1, 6) })
  }
  return rows
}

function jsonRows(text: string): Row[] {
  const rows: Row[] = []
  try {
    for (const { line, value } of jsonElements(text)) rows.push(jsonRow(line, value))
  } catch (error) {
    if (error instanceof JsonTextError) throw new CandleFileError(error.line, error.message)
    throw error
  }
  return rows
}

function jsonRow(line: number, value: unknown): Row {
  if (Array.isArray(value)) {
    if (value.length !== COLUMNS) {
      throw new CandleFileError(line, `has ${value.length} columns, a kline has ${COLUMNS}`)
    }
    return { line, openTime: value[0], values: value.slice(1, 6) }
  }
  if (typeof value !== 'object' || value === null) {
    throw new CandleFileError(line, 'is neither a row of 12 nor an object')
  }
  const fields = value as Readonly<Record<string, unknown>>
  return { line, openTime: fields['openTime'], values: FIELDS.map(name => fields[name]) }
}

function readRow(row: Row, previous: Candle | undefined): Candle {
  const openTime = readTime(row)
  if (previous !== undefined && openTime !== previous.openTime + MINUTE_MS) {
    throw new CandleFileError(
      row.line,
      `opens at ${openTime}, after ${previous.openTime} comes ${previous.openTime + MINUTE_MS}`,
    )
  }
  const [open, high, low, close, volume] = FIELDS.map((name, index) => readAmount(row, name, index)) as [
    Money,
    Money,
    Money,
    Money,
    Money,
  ]
  for (const [name, value] of [
    ['open', open],
    ['close', close],
  ] as const) {
    if (value.lt(low) || value.gt(high)) throw new CandleFileError(row.line, `${name} lies outside low and high`)
  }
  if (!low.gt('0')) throw new CandleFileError(row.line, 'low must be above 0')
  return {
    openTime,
    open: print(open),
    high: print(high),
    low: print(low),
    close: print(close),
    volume: print(volume),
  }
}

function readTime(row: Row): number {
  const text = typeof row.openTime === 'number' ? String(row.openTime) : row.openTime
  if (typeof text !== 'string' || !/^\d{12,16}$/.test(text)) {
    throw new CandleFileError(row.line, 'openTime must be whole ms or us since the epoch')
  }
  const value = Number(text)
  const ms = value >= FIRST_MICROSECOND_VALUE ? value / 1000 : value
  if (ms % MINUTE_MS !== 0) throw new CandleFileError(row.line, `openTime ${text} is not a whole minute`)
  return ms
}

function readAmount(row: Row, name: string, index: number): Money {
  const value = row.values[index]
  const text = typeof value === 'number' && Number.isFinite(value) && value >= 0 ? plain(value) : value
  if (typeof text !== 'string' || !DECIMAL.test(text)) {
    throw new CandleFileError(row.line, `${name} must be a decimal number, 0 or more`)
  }
  return money(text)
}

/** A JSON number without an exponent. */
function plain(value: number): string {
  return money(String(value)).toFixed()
}
