import type { DeploymentCheck } from '../../check.ts'
import { pass, fail, skip, unknown } from '../../finding.ts'

export const sentinelAgreement: DeploymentCheck = {
  id: 'sentinel-agreement',
  group: 'sentinel',
  on: 'deployment',
  caps: 'FFFW',
  guarantees: ['single-owner', 'shared-state'],
  title: 'Sentinels agree on the master',
  why: 'When sentinels name different masters, processes write to different servers: each thinks it owns the key.',
  thresholds: 'fail: different masters are named, or the named one is none',
  expected: 'one master, named by all',
  remedy: {
    text: 'Look at the sentinels that differ; SENTINEL RESET makes one forget what it knows.',
    command: 'redis-cli SENTINEL MASTERS',
  },
  judge({ deployment, sentinels, data }) {
    if (deployment.clientKind !== 'sentinel') return skip('not-applicable', 'no Sentinel')
    const facts = sentinels.flatMap(({ node }) => (node.sentinel === null ? [] : [node.sentinel.master]))
    const named = facts.flatMap(fact => (fact.known ? [fact.value] : []))
    const [first] = facts
    if (first === undefined) return skip('unreachable', 'no sentinel answered')
    const from = { evidence: 'info' as const, source: 'SENTINEL MASTER' }
    const remedy = {
      ...sentinelAgreement.remedy,
      ...(sentinels[0] === undefined ? {} : { node: sentinels[0].node.id }),
    }
    const masters = [...new Set(named)]
    if (masters.length === 0) return first.known ? skip('unreachable', 'no sentinel answered') : unknown(first)
    if (masters.length > 1)
      return fail(from, `${masters.join(' and ')} are named`, 'Processes write to different masters.', { remedy })
    const endpoint = data.find(({ node }) => node.endpoint)
    if (endpoint?.node.role.known === true && endpoint.node.role.value !== 'master') {
      return fail(from, `${masters[0]} is a ${endpoint.node.role.value}`, 'The named master is none.', { remedy })
    }
    return pass(from, `${masters[0]} named by ${named.length}`)
  },
}
