import type { NodeCheck } from '../../check.ts'
import { pass, warn, fail, skip, unknown } from '../../finding.ts'
import { hasReplicas } from '../../replication-facts.ts'

export const waitProbe: NodeCheck = {
  id: 'wait-probe',
  group: 'replication',
  on: 'masters',
  caps: 'FWI.',
  guarantees: ['survives-crash'],
  title: 'A write reaches the replicas',
  why: 'A replica that hangs stays "online" for a minute. WAIT says whether it really has the write of a moment ago.',
  thresholds: 'a write, then WAIT n 200 on the same connection, n = replicas ?? 1: warn (strict: fail): fewer',
  expected: 'every expected replica within 200 ms',
  remedy: {
    text: 'Find out why the replica does not acknowledge: paused, overloaded, or cut off.',
    command: 'redis-cli INFO replication',
  },
  judge(subject) {
    const { node, context, strict } = subject
    if (!context.writeProbe || node.probe === null) return skip('no-write-probe', 'needs a write')
    const replicas = hasReplicas(subject)
    if (!replicas.known && context.expect.replicas === undefined) return unknown(replicas)
    if ((replicas.known && !replicas.value && (context.expect.replicas ?? 0) === 0) || context.expect.replicas === 0) {
      return skip('not-applicable', 'there are no replicas')
    }
    const { wait, waitReplicas } = node.probe
    if (!wait.known) return unknown(wait)
    const observed = `${wait.value} of ${waitReplicas} acknowledged`
    const extra = { data: { acknowledged: wait.value, wanted: waitReplicas } }
    const message = 'A failover now loses acknowledged writes.'
    if (wait.value < waitReplicas)
      return strict ? fail(wait, observed, message, extra) : warn(wait, observed, message, extra)
    return pass(wait, observed, extra)
  },
}
