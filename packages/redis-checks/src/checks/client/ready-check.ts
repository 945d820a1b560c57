import type { ClientCheck } from '../../check.ts'
import { pass, warn, byOption } from '../../finding.ts'

export const readyCheck: ClientCheck = {
  id: 'ready-check',
  group: 'client',
  on: ['effect', 'worker', 'subscriber'],
  caps: 'WWWI',
  guarantees: ['answers-in-time'],
  title: 'Waits for a loading server',
  why: 'Without the ready check a client is "ready" while Redis still loads its data, and every command fails with LOADING.',
  thresholds: 'warn: enableReadyCheck is false',
  expected: 'enableReadyCheck: true',
  remedy: { text: 'Leave enableReadyCheck at true.' },
  judge({ kind, node, top }) {
    const from = byOption('enableReadyCheck')
    // A Cluster has two: its own asks for the state of the Cluster, that of its nodes whether they load.
    if (node.enableReadyCheck === false || (kind === 'cluster' && top.enableReadyCheck === false))
      return warn(from, 'false', 'Commands reach a server that is still loading.')
    return pass(from, 'true')
  },
}
