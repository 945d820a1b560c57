import type { NodeCheck } from '../../check.ts'
import { pass, info, warn, fail, unknown } from '../../finding.ts'

export const reachable: NodeCheck = {
  id: 'reachable',
  group: 'server',
  on: 'all',
  caps: 'FFFW',
  fast: true,
  guarantees: ['answers-in-time'],
  title: 'Every node answers',
  why: 'A node that does not answer keeps nothing for you; a slow one turns each guarded call into a timeout whose outcome nobody knows.',
  thresholds: 'no PING: fail for the endpoint or a master, else warn; median of 5: warn from 50 ms, info from 10 ms',
  expected: 'PING within 10 ms',
  remedy: {
    text: 'Check the address, the network, user and password; look for slow commands and a busy host.',
    command: 'redis-cli --latency-history',
  },
  judge({ node, deployment }) {
    if (node.failure !== null) {
      const from = { evidence: 'probe' as const, source: 'PING' }
      const message = node.failure.auth ? 'Redis refuses these credentials.' : 'The node does not answer.'
      const namedMaster = deployment.nodes.some(
        other =>
          other.clusterMembers.known &&
          other.clusterMembers.value.some(
            member => member.role === 'master' && `${member.host}:${member.port}` === node.id,
          ),
      )
      return node.endpoint || namedMaster || (deployment.clientKind === 'standalone' && deployment.nodes.length === 1)
        ? fail(from, node.failure.text, message)
        : warn(from, node.failure.text, message)
    }
    if (!node.latencyMs.known) {
      return node.loading.known && node.loading.value
        ? pass(node.loading, 'answers, still loading')
        : unknown(node.latencyMs)
    }
    const latencyMs = Math.round(node.latencyMs.value * 100) / 100
    const data = { latencyMs }
    if (latencyMs >= 50)
      return warn(node.latencyMs, `${latencyMs} ms`, 'Each guarded call waits this long, several times.', { data })
    if (latencyMs >= 10)
      return info(node.latencyMs, `${latencyMs} ms`, 'Slow for a store that is asked before each effect.', { data })
    return pass(node.latencyMs, `${latencyMs} ms`, { data })
  },
}
