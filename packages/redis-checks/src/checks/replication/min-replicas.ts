import type { NodeCheck } from '../../check.ts'
import { pass, warn, fail, skip, unknown } from '../../finding.ts'
import type { Remedy } from '../../finding.ts'
import type { Fact } from '../../fact.ts'
import { hasReplicas } from '../../replication-facts.ts'

export const minReplicas: NodeCheck = {
  id: 'min-replicas',
  group: 'replication',
  on: 'masters',
  caps: 'FFWI',
  guarantees: ['survives-crash', 'answers-in-time'],
  title: 'A cut-off master stops taking writes',
  why: 'Without min-replicas-to-write a master that the sentinels have replaced goes on acknowledging writes nobody will ever see again.',
  thresholds:
    'fail: more than the good replicas (writes are refused); warn (strict: fail): 0 with replicas; warn: max-lag above 10 s',
  expected: 'min-replicas-to-write 1 or more, min-replicas-max-lag 10 or less',
  remedy: { text: 'Demand a replica for writes.', command: 'redis-cli CONFIG SET min-replicas-to-write 1' },
  judge(subject) {
    const write = subject.node.probe?.write
    const good = subject.infoNumber('min_slaves_good_slaves', 'min_replicas_good_replicas')
    if (write?.ok === false && write.code === 'NOREPLICAS') {
      const remedy = demandLess(good)
      return fail({ evidence: 'probe', source: 'SET' }, 'NOREPLICAS', 'Redis refuses every write.', { remedy })
    }
    const least = subject.settingNumber('min-replicas-to-write', 'min_replicas_to_write')
    const lag = subject.settingNumber('min-replicas-max-lag')
    const replicas = hasReplicas(subject)
    if (!least.known) return unknown(least)
    if (least.value > 0) {
      if (good.known && good.value < least.value)
        return fail(good, `${good.value} good, ${least.value} demanded`, 'Redis refuses every write.', {
          remedy: demandLess(good),
        })
      if (lag.known && lag.value > 10)
        return warn(lag, `max-lag ${lag.value} s`, 'A cut-off master goes on taking writes for that long.', {
          remedy: { text: 'Shorten it.', command: 'redis-cli CONFIG SET min-replicas-max-lag 10' },
        })
      return pass(least, `${least.value} demanded`)
    }
    if (!replicas.known) return unknown(replicas)
    if (!replicas.value) return skip('not-applicable', 'there are no replicas')
    const message = 'A master that was replaced goes on acknowledging writes.'
    return subject.strict ? fail(least, '0', message) : warn(least, '0', message)
  },
}

function demandLess(good: Fact<number>): Remedy {
  return {
    text: 'Start the missing replicas. Until they are back, this takes writes again, with fewer copies:',
    command: `redis-cli CONFIG SET min-replicas-to-write ${good.known ? good.value : 0}`,
  }
}
