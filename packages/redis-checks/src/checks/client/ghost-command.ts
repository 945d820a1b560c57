import type { ClientCheck } from '../../check.ts'
import { pass, warn, skip, byOption } from '../../finding.ts'

export const ghostCommand: ClientCheck = {
  id: 'ghost-command',
  group: 'client',
  on: ['effect'],
  caps: 'WWII',
  guarantees: ['honest-report'],
  title: 'Nothing runs after its timeout',
  why: 'A command that timed out while it was queued or in flight stays in the client: it was rejected, and runs later (redis/ioredis#2130).',
  thresholds: 'warn: commandTimeout together with the offline queue or with re-sending',
  expected: 'commandTimeout without offline queue and re-sending',
  remedy: { text: 'Set enableOfflineQueue: false and autoResendUnfulfilledCommands: false beside commandTimeout.' },
  judge({ kind, node, top }) {
    const from = byOption('commandTimeout')
    if (node.commandTimeout === undefined) return skip('not-applicable', 'there is no commandTimeout')
    const queue = (kind === 'cluster' ? top.enableOfflineQueue : node.enableOfflineQueue) !== false
    const resend = kind !== 'cluster' && node.autoResendUnfulfilledCommands !== false
    if (!queue && !resend) return pass(from, `${node.commandTimeout} ms, no queue, no re-sending`)
    const kept = [...(queue ? ['offline queue'] : []), ...(resend ? ['re-sending'] : [])].join(' and ')
    return warn(
      from,
      `${node.commandTimeout} ms with ${kept}`,
      'A call that was rejected by its timeout may still run.',
    )
  },
}
