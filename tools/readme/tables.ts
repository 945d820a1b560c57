// What a README's tables name, and what the source has: both as sets of names.

/** The text below the heading `title` up to the next heading of the same or a higher level; '' without the heading. */
export function section(markdown: string, title: string): string {
  const lines = markdown.split('\n')
  const start = lines.findIndex(line => /^#{2,3} /.test(line) && line.replace(/^#+ /, '').trim() === title)
  if (start === -1) return ''
  const level = /^#+/.exec(lines[start] ?? '')?.[0].length ?? 2
  const rest = lines.slice(start + 1)
  const end = rest.findIndex(line => new RegExp(`^#{1,${level}} `).test(line))
  return (end === -1 ? rest : rest.slice(0, end)).join('\n').trim()
}

/** Every match of `pattern` in `text`. */
export function namedIn(text: string, pattern: RegExp): Set<string> {
  return new Set([...text.matchAll(pattern)].map(match => match[0]))
}

/** The names in backticks in the first column of every table row of `text`. */
export function tableNames(text: string): Set<string> {
  const rows = text.split('\n').filter(line => line.startsWith('|'))
  const cells = rows.map(row => row.split('|')[1] ?? '')
  return new Set(cells.flatMap(cell => [...cell.matchAll(/`([^`]+)`/g)].map(match => match[1] ?? '')))
}

/** The codes of `errors.ts`. */
export function thrownCodes(source: string): Set<string> {
  return namedIn(source, /\bERR_[A-Z][A-Z_]*[A-Z]\b/g)
}

/** The `type` literals of the union in `events.ts`. */
export function emittedEvents(source: string): Set<string> {
  const literals = [...source.matchAll(/\btype: ((?:\s*\|?\s*'[a-z-]+')+)/g)].map(match => match[1] ?? '')
  return new Set(literals.flatMap(text => [...text.matchAll(/'([a-z-]+)'/g)].map(match => match[1] ?? '')))
}

/** The members of every exported interface in `options.ts` whose name ends in `Options`. */
export function optionNames(source: string): Set<string> {
  const blocks = [...source.matchAll(/^export interface \w*Options\b[^{]*\{\n([\s\S]*?)^\}/gm)]
  const members = blocks.flatMap(block => [...(block[1] ?? '').matchAll(/^ {2}(?:readonly )?(\w+)\??:/gm)])
  return new Set(members.map(match => match[1] ?? ''))
}
