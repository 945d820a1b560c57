import type { NodeCheck } from '../../check.ts'
import { pass, warn, fail, unknown } from '../../finding.ts'
import { onlineReplicas } from '../../replication-facts.ts'

export const replicaCount: NodeCheck = {
  id: 'replica-count',
  group: 'replication',
  on: 'masters',
  caps: 'FFWI',
  fast: true,
  guarantees: ['survives-crash'],
  title: 'Replicas are online',
  why: 'Without an online replica the loss of the master is the loss of the data; Sentinel and Cluster then have nobody to promote.',
  thresholds: 'fail: none online (if expected, with Sentinel or Cluster); warn: fewer than expected',
  expected: 'the expected replicas online',
  remedy: { text: 'Start the missing replicas and look at their logs.', command: 'redis-cli INFO replication' },
  judge(subject) {
    const { deployment, context } = subject
    const online = onlineReplicas(subject)
    if (!online.known) return unknown(online)
    const needed = context.expect.replicas
    const watched = deployment.topology === 'sentinel' || deployment.topology === 'cluster'
    const observed = `${online.value} online`
    const extra = {
      data: { online: online.value, expected: needed ?? null },
      ...(needed === undefined ? {} : { expected: `${needed} online` }),
    }
    if (online.value === 0 && (watched ? needed !== 0 : (needed ?? 0) > 0))
      return fail(online, observed, 'Nobody holds a second copy, nobody can take over.', extra)
    if (needed !== undefined && online.value < needed)
      return warn(online, observed, 'Fewer copies than expected.', extra)
    return pass(online, observed, extra)
  },
}
