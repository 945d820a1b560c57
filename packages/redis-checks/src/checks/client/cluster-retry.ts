import type { ClientCheck } from '../../check.ts'
import { pass, fail, skip, byOption } from '../../finding.ts'

export const clusterRetry: ClientCheck = {
  id: 'cluster-retry',
  group: 'client',
  on: ['effect'],
  caps: 'FFWI',
  guarantees: ['single-owner', 'honest-report'],
  title: 'Cluster repeats nothing by itself',
  why: 'With retryDelayOnFailover above 0 a Cluster client sends a command again when its connection breaks: a lost reply runs it twice, whatever the re-send setting says.',
  thresholds: 'fail: Cluster with retryDelayOnFailover above 0',
  expected: 'retryDelayOnFailover: 0',
  remedy: { text: 'Set retryDelayOnFailover: 0 on the Cluster client.' },
  judge({ kind, top }) {
    if (kind !== 'cluster') return skip('not-applicable', 'not a Cluster client')
    const delay = top.retryDelayOnFailover ?? 100
    const from = byOption('retryDelayOnFailover')
    if (delay > 0) return fail(from, `${delay} ms`, 'A command whose reply is lost is sent again and runs twice.')
    return pass(from, '0')
  },
}
