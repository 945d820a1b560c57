import type { ClientCheck } from '../../check.ts'
import { pass, fail, byOption } from '../../finding.ts'

export const sharedConnection: ClientCheck = {
  id: 'shared-connection',
  group: 'client',
  on: ['effect'],
  caps: 'FFFF',
  guarantees: ['answers-in-time'],
  title: 'A connection for commands',
  why: 'A connection that subscribes (RESP2) or monitors refuses every other command.',
  thresholds: 'fail: the client is in subscriber mode on RESP2, or monitors',
  expected: 'a client that neither subscribes nor monitors',
  remedy: { text: 'Subscribe on a duplicate() of the client.' },
  judge({ mode, node }) {
    const from = byOption('mode')
    const resp3 = (node as { protocol?: unknown }).protocol === 3
    if (mode === 'monitor' || (mode === 'subscriber' && !resp3)) {
      return fail(from, `${mode} mode`, 'Commands on this connection are refused.')
    }
    return pass(from, mode)
  },
}
