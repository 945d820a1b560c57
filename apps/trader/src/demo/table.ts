import { ASSETS, type DemoDocument, type SideResult } from './result.ts'

const NAIVE_ENDS = 39
const GUARDED_WIDTH = 12

/** A number cut, not rounded, to four decimals; an ellipsis says that more follow. */
function short(decimal: string): string {
  const [whole = '0', fraction = ''] = decimal.split('.')
  const digits = fraction.replace(/0+$/, '')
  if (digits === '') return whole
  return digits.length > 4 ? `${whole}.${digits.slice(0, 4)}…` : `${whole}.${digits}`
}

/** The first asset whose books disagree, or 0. */
export function driftText(side: SideResult): string {
  for (const asset of ASSETS) {
    const amount = short(side.drift[asset])
    if (amount !== '0' && amount !== '-0') return `${asset} ${amount}`
  }
  return '0'
}

function doubtText(side: SideResult): string {
  return side.inDoubt === null ? '-' : `${side.inDoubt.seen}, ${side.inDoubt.resolved}, ${side.inDoubt.open}`
}

/** Every row of the table as text, for the terminal and for the report page. */
export function tableRows(sides: DemoDocument['sides']): { label: string; naive: string; guarded: string }[] {
  const row = (
    label: string,
    cell: (side: SideResult) => string,
  ): { label: string; naive: string; guarded: string } => ({
    label,
    naive: cell(sides.naive),
    guarded: cell(sides.guarded),
  })
  return [
    row('intents expected', side => String(side.expected)),
    row('orders accepted, duplicate', side => `${side.accepted}, ${side.duplicates}`),
    row('orphans, lost, refused', side => `${side.orphans}, ${side.lost}, ${side.refused}`),
    row('position drift', driftText),
    row('requests during Retry-After', side => String(side.requestsDuringRetryAfter)),
    row('in doubt: seen, resolved, open', doubtText),
    row('metric series', side => (side.series === null ? '-' : String(side.series))),
  ]
}

function line(label: string, naive: string, guarded: string): string {
  const left = label + naive.padStart(Math.max(NAIVE_ENDS - label.length, naive.length + 2))
  return left + guarded.padStart(Math.max(GUARDED_WIDTH, guarded.length + 2))
}

/** The table of a finished run, without a trailing newline. */
export function formatTable(sides: DemoDocument['sides']): string {
  return [
    line('', 'naive', 'guarded'),
    ...tableRows(sides).map(({ label, naive, guarded }) => line(label, naive, guarded)),
  ].join('\n')
}

/** What the checks say of the Redis under the guarded side, as one line. */
export function formatChecks({ redisChecks }: DemoDocument): string {
  return `redis checks: ${redisChecks.sentence}`
}

/** What stands below the table: the verdict in words and every reason for it. */
export function formatVerdict(document: DemoDocument): string {
  const { naive } = document.sides
  const heading = {
    pass: `pass: ${document.faults.fired} faults; the guarded side placed nothing twice, lost nothing, and its books equal the exchange's`,
    fail: 'fail: the guarded side broke its promise',
    inconclusive: 'inconclusive: this run proves nothing',
  }[document.verdict]
  const aside =
    document.verdict === 'pass' && naive.duplicates === 0 ? ['  the naive side happened to place nothing twice'] : []
  return [heading, ...document.reasons.map(reason => `  ${reason}`), ...aside].join('\n')
}
