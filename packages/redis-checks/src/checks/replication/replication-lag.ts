import type { NodeCheck } from '../../check.ts'
import { pass, warn, fail, skip, unknown } from '../../finding.ts'

export const replicationLag: NodeCheck = {
  id: 'replication-lag',
  group: 'replication',
  on: 'masters',
  caps: 'FWII',
  guarantees: ['survives-crash'],
  title: 'Replicas keep up',
  why: 'A failover loses what the replica had not received.',
  thresholds: 'warn: above 1 s; fail: above min-replicas-max-lag',
  expected: 'at most 1 s',
  remedy: { text: 'Look at the network and the load of the replicas.', command: 'redis-cli INFO replication' },
  judge({ replicas, settingNumber }) {
    if (!replicas.known) return unknown(replicas)
    const lags = replicas.value.flatMap(({ state, lagSeconds }) =>
      state === 'online' && lagSeconds !== null ? [lagSeconds] : [],
    )
    if (lags.length === 0) return skip('not-applicable', 'no replica is online')
    const lagSeconds = Math.max(...lags)
    const most = settingNumber('min-replicas-max-lag')
    const extra = { data: { lagSeconds } }
    if (most.known && most.value > 0 && lagSeconds > most.value)
      return fail(replicas, `${lagSeconds} s behind`, 'A failover loses that much.', extra)
    if (lagSeconds > 1) return warn(replicas, `${lagSeconds} s behind`, 'A failover loses that much.', extra)
    return pass(replicas, `${lagSeconds} s behind`, extra)
  },
}
