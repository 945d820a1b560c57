import type { DeploymentCheck } from '../../check.ts'
import { pass, fail, skip, unknown } from '../../finding.ts'
import { missing } from '../../fact.ts'

export const role: DeploymentCheck = {
  id: 'role',
  group: 'server',
  on: 'deployment',
  caps: 'FFFW',
  fast: true,
  blocking: true,
  guarantees: ['single-owner', 'shared-state'],
  title: 'Writes go to a master',
  why: 'A client that talks to a replica reads old state and cannot write; a Sentinel that was denied INFO lets a replica pass as master.',
  thresholds: 'fail: the node the client writes to is no master',
  expected: 'a master',
  remedy: {
    text: 'Point the client at the master, or connect through Sentinel or Cluster, which find it.',
    command: 'redis-cli ROLE',
  },
  judge({ data, deployment }) {
    if (deployment.clientKind === 'cluster') {
      const masters = data.filter(({ node }) => node.role.known && node.role.value === 'master')
      const [first] = masters
      if (first === undefined)
        return data[0] === undefined
          ? skip('unreachable', 'no node answered')
          : unknown(data[0].node.role.known ? missing('not-shown', 'ROLE', 'no master answered') : data[0].node.role)
      return pass(first.node.role, `${masters.length} masters`)
    }
    const endpoints = data.filter(({ node }) => node.endpoint)
    const [endpoint] = endpoints
    if (endpoint === undefined) return skip('unreachable', 'the endpoint did not answer')
    const { node } = endpoint
    const remedy = { ...role.remedy, node: node.id }
    const write = node.probe?.write
    const probed = { evidence: 'probe' as const, source: 'SET' }
    if (write?.ok === false && write.code === 'READONLY')
      return fail(probed, 'READONLY', 'Redis refuses writes here.', { data: { node: node.id }, remedy })
    if (!node.role.known) return write?.ok === true ? pass(probed, 'takes writes') : unknown(node.role)
    if (node.role.value !== 'master') {
      return fail(node.role, `${node.role.value} at ${node.id}`, 'Writes fail here, and reads may be old.', {
        data: { node: node.id },
        remedy,
      })
    }
    return pass(node.role, `master at ${node.id}`)
  },
}
