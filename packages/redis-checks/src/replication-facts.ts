import { firstKnown, known, mapFact } from './fact.ts'
import type { Fact } from './fact.ts'
import type { NodeSubject } from './subject.ts'

/** Replicas of this master that are online. */
export function onlineReplicas({ replicas }: NodeSubject): Fact<number> {
  return mapFact(replicas, lines => lines.filter(({ state }) => state === 'online').length)
}

/** Whether this master has replicas, connected or only listed. */
export function hasReplicas({ node, replicas, deployment }: NodeSubject): Fact<boolean> {
  const listed =
    deployment.topology !== 'cluster' &&
    deployment.nodes.some(other => other.role.known && other.role.value === 'replica' && other.id !== node.id)
  if (listed) return known(true, 'info', 'topology')
  return firstKnown(mapFact(replicas, lines => lines.length > 0))
}
