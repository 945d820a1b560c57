import type { DemoEvidence } from './evidence.ts'
import type { TruthLine } from './exchange-control.ts'
import { faultRows } from './fault-summary.ts'
import { escapeHtml, htmlTable } from './html.ts'
import type { SideName } from './result.ts'
import { formatVerdict, tableRows } from './table.ts'
import { buildTimeline } from './timeline.ts'
import { legendHtml, timelineSvg } from './timeline-svg.ts'

const INVARIANTS: Readonly<Record<string, string>> = {
  A1: 'a client order id has at most one accepted order',
  A2: 'each accepted order is on record as ordered or unknown',
  A3: 'each intent was accepted, or is on record as refused with a reason, or as unknown',
  A4: 'the ledger equals the change of balance, to the last decimal',
  A5: 'no request more than 250 ms into a running Retry-After',
  A6: 'no accepted order signed after the kill switch',
  A7: "the exchange's own books add up",
}

const STYLE = `
:root{color-scheme:light dark;--ground:#fdfdfb;--ink:#1c2126;--quiet:#5a646e;--line:#d5d9dc;--good:#12613a;--bad:#a3181b;--warn:#7a4a00;
--order:#2563a8;--doubt:#a06a00;--away:#8a8f94;--gate:#7b4bb0;--outage:#a3181b;--panel:#f2f3f0}
@media (prefers-color-scheme:dark){:root{--ground:#14171a;--ink:#e7eaec;--quiet:#a4adb5;--line:#383f45;--good:#6fd09a;--bad:#ff8c87;--warn:#f0bd6b;
--order:#7db7f2;--doubt:#e3b04b;--away:#9aa1a8;--gate:#c29bf0;--outage:#ff8c87;--panel:#1c2024}}
*{box-sizing:border-box}body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:70rem;margin:0 auto;padding:1.5rem 1rem 4rem}h1{font-size:1.5rem;margin:0 0 .25rem}h2{font-size:1.15rem;margin:2.25rem 0 .5rem}
p{margin:.4rem 0}.quiet{color:var(--quiet)}.verdict{border-left:.4rem solid;padding:.6rem .9rem;background:var(--panel);margin:1rem 0;white-space:pre-line}
.pass{border-color:var(--good)}.fail{border-color:var(--bad)}.inconclusive{border-color:var(--warn)}
.scroll{overflow-x:auto}table{border-collapse:collapse;min-width:24rem}th,td{padding:.3rem .8rem .3rem 0;border-bottom:1px solid var(--line);vertical-align:top;text-align:left}
th[scope=row]{font-weight:500}.figures td,.figures thead th+th,.faults td:nth-child(n+3),.faults thead th:nth-child(n+3){text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.timeline{width:100%;min-width:44rem;height:auto;display:block}.lane{font-size:12px;fill:var(--ink);text-anchor:end}.tick{font-size:11px;fill:var(--quiet);text-anchor:middle}
.rule{stroke:var(--line)}.band{fill-opacity:.28;stroke-width:1}.away{fill:var(--away);stroke:var(--away)}.outage{fill:var(--outage);stroke:var(--outage)}
.gate{fill:var(--gate);stroke:var(--gate);stroke-dasharray:3 2}.doubt{fill:var(--doubt);fill-opacity:.9}.drain{fill:var(--line);fill-opacity:.35}
.order{fill:var(--order)}.duplicate{fill:var(--bad)}.refused{stroke:var(--warn);stroke-width:2;fill:none}
.legend{list-style:none;padding:0;margin:.5rem 0;display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;font-size:.9rem}.legend svg{vertical-align:-3px}
details{margin:.25rem 0}summary{cursor:pointer}code{font-size:.85em;overflow-wrap:anywhere}`

function evidenceText(entry: TruthLine): string {
  const { seq, atMs: _atMs, type, account: _account, ...rest } = entry
  const known = ['clientOrderId', 'orderId', 'symbol', 'side', 'qty', 'status', 'path', 'asset']
  const parts = known.flatMap(name => {
    const value = rest[name]
    return typeof value === 'string' || typeof value === 'number' ? [`${name} ${value}`] : []
  })
  return `${seq} ${type}: ${parts.join(', ')}`
}

function invariantsHtml(evidence: DemoEvidence): string {
  const bySeq = new Map(evidence.truth.map(entry => [entry.seq, entry]))
  const sections = (['naive', 'guarded'] satisfies SideName[]).map(side => {
    const { invariants } = evidence.sides[side].audit
    const rows = invariants.map(({ id, ok, count }) => [id, INVARIANTS[id] ?? '', ok ? 'holds' : `broken, ${count}`])
    const proofs = invariants
      .filter(({ ok }) => !ok)
      .map(({ id, evidence: seqs }) => {
        const lines = seqs.map(seq => {
          const entry = bySeq.get(seq)
          return `<li><code>${escapeHtml(entry === undefined ? String(seq) : evidenceText(entry))}</code></li>`
        })
        return `<details><summary>Evidence for ${escapeHtml(id)}, entries of the truth log</summary><ul>${lines.join('')}</ul></details>`
      })
    return `<h3>${side}</h3>${htmlTable('invariants', ['', 'Invariant', 'Result'], rows)}${proofs.join('')}`
  })
  return sections.join('\n')
}

function faultsHtml(evidence: DemoEvidence): string {
  const { sides } = evidence.document
  const rows = faultRows(evidence.plan, evidence.truth, {
    kills: { naive: sides.naive.kills, guarded: sides.guarded.kills },
    redisOutages: sides.guarded.redisOutages,
  })
  return htmlTable(
    'faults',
    ['Fault', 'What it did', 'naive', 'guarded'],
    rows.map(({ id, what, naive, guarded }) => [id, what, String(naive), String(guarded)]),
  )
}

/** The result of a run as one HTML file that loads nothing: no script, no font, no image from elsewhere. */
export function reportPage(evidence: DemoEvidence): string {
  const { document } = evidence
  const figures = tableRows(document.sides).map(({ label, naive, guarded }) => [label, naive, guarded])
  const title = `Trader demo, seed ${document.seed}: ${document.verdict}`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
<p class="quiet">Two traders met one storm for ${document.seconds} s: ${document.faults.fired} faults on equal intents. The paper exchange's own books decide. Redis was ${document.redis}.</p>
<p class="verdict ${document.verdict}">${escapeHtml(formatVerdict(document))}</p>
<h2>Result</h2>
${htmlTable('figures', ['', 'naive', 'guarded'], figures)}
<h2>Timeline</h2>
${legendHtml()}
<div class="scroll">${timelineSvg(buildTimeline(evidence))}</div>
<h2>Invariants</h2>
${invariantsHtml(evidence)}
<h2>Faults</h2>
<p>Shares are of the requests and events that no earlier rule has met. Each figure is how often the fault acted.</p>
${faultsHtml(evidence)}
</main>
</body>
</html>
`
}
