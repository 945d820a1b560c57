/** JSON text that is no array of values, with the 1-based line where that shows. */
export class JsonTextError extends Error {
  readonly line: number

  constructor(line: number, message: string) {
    super(message)
    this.name = 'JsonTextError'
    this.line = line
  }
}

/**
 * The elements of a JSON array, each with the line it starts on, which `JSON.parse` alone cannot tell. The array is cut at its own
 * commas, outside strings and nested brackets; each piece is then parsed by `JSON.parse`.
 *
 * @throws {JsonTextError}
 */
export function jsonElements(text: string): { line: number; value: unknown }[] {
  const open = text.indexOf('[')
  const close = text.lastIndexOf(']')
  const lineAt = createLineCounter(text)
  if (open === -1 || text.slice(0, open).trim() !== '') throw new JsonTextError(1, 'is no JSON array')
  if (close < open || text.slice(close + 1).trim() !== '') {
    throw new JsonTextError(lineAt(text.length), 'the JSON array does not end')
  }
  const pieces = cut(text, open + 1, close)
  if (pieces.length === 1 && text.slice(open + 1, close).trim() === '') return []
  return pieces.map(([from, to]) => {
    const source = text.slice(from, to)
    const line = lineAt(from + (source.length - source.trimStart().length))
    try {
      return { line, value: JSON.parse(source) as unknown }
    } catch (error) {
      throw new JsonTextError(line, `is no JSON value: ${(error as Error).message}`)
    }
  })
}

function cut(text: string, from: number, to: number): [number, number][] {
  const pieces: [number, number][] = []
  let depth = 0
  let inString = false
  let start = from
  for (let index = from; index < to; index++) {
    const letter = text[index]
    if (inString) {
      if (letter === '\\') index++
      else if (letter === '"') inString = false
    } else if (letter === '"') inString = true
    else if (letter === '[' || letter === '{') depth++
    else if (letter === ']' || letter === '}') depth--
    else if (letter === ',' && depth === 0) {
      pieces.push([start, index])
      start = index + 1
    }
  }
  pieces.push([start, to])
  return pieces
}

/** Lines of rising offsets in one pass. */
function createLineCounter(text: string): (offset: number) => number {
  let line = 1
  let seen = 0
  return offset => {
    for (; seen < offset; seen++) if (text[seen] === '\n') line++
    return line
  }
}
