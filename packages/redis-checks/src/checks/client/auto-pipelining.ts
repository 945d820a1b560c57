import type { ClientCheck } from '../../check.ts'
import { pass, warn, byOption } from '../../finding.ts'

export const autoPipelining: ClientCheck = {
  id: 'auto-pipelining',
  group: 'client',
  on: ['effect'],
  caps: 'WWII',
  guarantees: ['honest-report'],
  title: 'No automatic batches',
  why: 'Automatic pipelining joins unrelated commands into one batch: when the connection breaks after the first reply, all the others are rejected as aborted although they ran.',
  thresholds: 'warn: enableAutoPipelining is on',
  expected: 'enableAutoPipelining: false',
  remedy: { text: 'Leave enableAutoPipelining at false on this client.' },
  judge({ node, top }) {
    const from = byOption('enableAutoPipelining')
    const on = node.enableAutoPipelining === true || top.enableAutoPipelining === true
    if (on) return warn(from, 'true', 'A cut batch reports commands as aborted that ran.')
    return pass(from, 'false')
  },
}
