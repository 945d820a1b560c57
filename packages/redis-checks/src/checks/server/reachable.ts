import type { NodeCheck } from '../../check.ts'
import { pass, info, warn, fail, unknown } from '../../finding.ts'
import type { Remedy } from '../../finding.ts'
import { explainTls } from '../../tls-reason.ts'

const LOG_IN: Remedy = {
  text: 'Check user and password: those of the client, or --username and --password-env of the doctor.',
}
const LOOK: Remedy = {
  text: 'Check the address, that the server runs and listens there, and what lies between.',
  command: 'redis-cli PING',
}

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
  remedy: { text: 'Look for slow commands, a busy host, or a long way to it.', command: 'redis-cli SLOWLOG GET 10' },
  judge({ node, deployment }) {
    if (node.failure !== null) {
      const from = { evidence: 'probe' as const, source: 'PING' }
      const { text, auth } = node.failure
      const tls = auth ? undefined : explainTls(text)
      const message = auth ? 'Redis refuses these credentials.' : (tls?.message ?? 'The node does not answer.')
      const extra = { remedy: tls === undefined ? (auth ? LOG_IN : LOOK) : { text: tls.remedy } }
      const namedMaster = deployment.nodes.some(
        other =>
          other.clusterMembers.known &&
          other.clusterMembers.value.some(
            member => member.role === 'master' && `${member.host}:${member.port}` === node.id,
          ),
      )
      return node.endpoint || namedMaster || (deployment.clientKind === 'standalone' && deployment.nodes.length === 1)
        ? fail(from, text, message, extra)
        : warn(from, text, message, extra)
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
