import type { NodeCheck } from '../../check.ts'
import { pass, fail, skip, unknown } from '../../finding.ts'
import { aofOf } from '../../persistence-facts.ts'
import { savePoints } from '../../persistence-facts.ts'
import { hasReplicas } from '../../replication-facts.ts'

export const emptyRestart: NodeCheck = {
  id: 'empty-restart',
  group: 'persistence',
  on: 'masters',
  caps: 'FFI.',
  guarantees: ['survives-crash', 'record-stays'],
  title: 'A restart does not empty the replicas',
  why: 'A master without persistence that restarts quickly comes back empty, and its replicas copy the emptiness: replication is then no protection.',
  thresholds: 'fail: no persistence, and replicas',
  expected: 'persistence on a master with replicas',
  remedy: {
    text: 'Turn the append-only file on, and do not restart a master without it automatically.',
    command: 'redis-cli CONFIG SET appendonly yes',
  },
  judge(subject) {
    const replicas = hasReplicas(subject)
    if (!replicas.known) return unknown(replicas)
    if (!replicas.value) return skip('not-applicable', 'there are no replicas')
    const aof = aofOf(subject)
    if (!aof.known) return unknown(aof)
    if (aof.value) return pass(aof, 'append-only file')
    const save = savePoints(subject)
    if (!save.known) return unknown(save)
    if (save.value) return pass(save, 'snapshots')
    return fail(aof, 'no persistence, with replicas', 'An empty restart of the master empties every replica.')
  },
}
