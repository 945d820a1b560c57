import type { NodeCheck } from '../../check.ts'
import { pass, warn, fail, unknown } from '../../finding.ts'

export const clockSkew: NodeCheck = {
  id: 'clock-skew',
  group: 'server',
  on: 'data',
  caps: 'FWII',
  guarantees: ['single-owner'],
  title: 'Clocks agree',
  why: 'Leases are decided by the clock of the server. When a replica with another clock takes over, leases end early or late.',
  thresholds: 'to the clock of this process or between nodes: warn above 250 ms, fail above 1000 ms',
  expected: 'at most 250 ms apart',
  remedy: { text: 'Run chrony or ntpd on every host.', command: 'redis-cli TIME' },
  judge({ node, deployment }) {
    const own = node.skewMs
    if (!own.known) return unknown(own)
    const others = deployment.nodes.flatMap(other =>
      other.kind === 'data' && other.skewMs.known ? [Math.abs(other.skewMs.value - own.value)] : [],
    )
    const skewMs = Math.round(Math.max(Math.abs(own.value), ...others))
    const extra = { data: { skewMs } }
    if (skewMs > 1000) return fail(own, `${skewMs} ms apart`, 'Leases end at the wrong moment.', extra)
    if (skewMs > 250) return warn(own, `${skewMs} ms apart`, 'Short leases end at the wrong moment.', extra)
    return pass(own, `${skewMs} ms apart`, extra)
  },
}
