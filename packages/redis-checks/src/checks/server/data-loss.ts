import type { NodeCheck } from '../../check.ts'
import { pass, info, fail, skip, unknown } from '../../finding.ts'

export const dataLoss: NodeCheck = {
  id: 'data-loss',
  group: 'server',
  on: 'masters',
  caps: 'FFW.',
  fast: true,
  guarantees: ['record-stays', 'single-owner'],
  title: 'No sign of lost records',
  why: 'FLUSHALL, an empty restart, a restored backup or an unfinished replication removes records without an error: an effect that ran looks as if it never had.',
  thresholds:
    'fail: marker gone, replaced or behind; restart without lossless persistence; another master; FLUSHALL, FLUSHDB or SWAPDB ran',
  expected: 'the marker of the earlier run, or an unbroken life of the server',
  remedy: {
    text: 'Grant no claim before every old lease has run out, then reconcile what ran meanwhile with the outside world.',
  },
  judge({ node, previous, signals, context }) {
    if (previous === undefined) return skip('no-earlier-report', 'there is nothing to compare with')
    const active = signals.filter(({ past }) => past !== true)
    const [first] = active
    const from = { evidence: 'trace' as const, source: 'earlier report' }
    if (first !== undefined) {
      const names = active.map(({ signal, suspected }) => `${signal} (${suspected})`).join(', ')
      return fail(from, names, 'Records may be lost: what ran may look as if it never had.', {
        data: { signal: first.signal, suspected: first.suspected },
      })
    }
    if (signals.length > 0) {
      return info(
        from,
        'a loss was suspected',
        'The hold-off is over: leases are safe again, lost records are not back.',
      )
    }
    if (!node.runId.known) return unknown(node.runId)
    if (context.writeProbe && node.marker !== null && !node.marker.known) return unknown(node.marker)
    return pass(from, 'no sign of a loss')
  },
}
