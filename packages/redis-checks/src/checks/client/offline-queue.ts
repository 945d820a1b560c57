import type { ClientCheck } from '../../check.ts'
import { pass, fail, byOption } from '../../finding.ts'

export const offlineQueue: ClientCheck = {
  id: 'offline-queue',
  group: 'client',
  on: ['effect'],
  caps: 'FWWI',
  guarantees: ['honest-report', 'answers-in-time'],
  title: 'No offline queue',
  why: 'Commands queued while Redis is away run when it returns, long after their callers were told that they failed.',
  thresholds: 'fail: enableOfflineQueue is not false (Cluster: at the top level of its options)',
  expected: 'enableOfflineQueue: false',
  remedy: {
    text: 'Set enableOfflineQueue: false (for a Cluster beside redisOptions, not inside) and wait for "ready" at start.',
  },
  judge({ kind, node, top }) {
    const value = kind === 'cluster' ? top.enableOfflineQueue : node.enableOfflineQueue
    const from = byOption('enableOfflineQueue')
    if (value === false) return pass(from, 'false')
    return fail(
      from,
      String(value ?? 'true (default)'),
      'A queued command runs after its caller was told that it failed.',
    )
  },
}
