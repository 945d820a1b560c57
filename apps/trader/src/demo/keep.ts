import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DemoEvidence } from './evidence.ts'
import { historyText, jsonLines, sideHistory, sideLedger, type HistoryHeader } from './history.ts'
import type { SideName } from './result.ts'

/**
 * Writes what a run left behind: `truth.jsonl` and `result.json` for both sides, and in a folder per side
 * `history.jsonl`, `ledger.jsonl`, `journal.jsonl` and what its workers wrote. Files of an earlier run there are replaced.
 */
export function keepEvidence(folder: string, evidence: DemoEvidence, promise: Readonly<Record<string, number>>): void {
  const { document, truth, outages } = evidence
  writeFileSync(join(folder, 'truth.jsonl'), jsonLines(truth))
  writeFileSync(join(folder, 'result.json'), `${JSON.stringify(document, null, 2)}\n`)
  for (const side of ['naive', 'guarded'] satisfies SideName[]) {
    const { log, texts, events, journal } = evidence.sides[side]
    const header: HistoryHeader = {
      schema: 'safety-chaos.history/1',
      experiment: 'trader-demo',
      mode: 'live',
      seed: document.seed,
      durability: 'A',
      sink: 'plain',
      promise,
    }
    const into = join(folder, side)
    mkdirSync(into, { recursive: true })
    const met = side === 'guarded' ? outages : []
    writeFileSync(join(into, 'history.jsonl'), historyText(header, sideHistory(log, events, met)))
    writeFileSync(join(into, 'ledger.jsonl'), jsonLines(sideLedger(truth, side, log)))
    writeFileSync(join(into, 'journal.jsonl'), jsonLines(journal))
    writeFileSync(join(into, 'workers.log'), texts.map(text => `${text}\n`).join(''))
  }
}
