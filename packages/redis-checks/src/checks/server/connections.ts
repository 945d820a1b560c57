import type { NodeCheck } from '../../check.ts'
import { pass, warn, fail, unknown } from '../../finding.ts'

export const connections: NodeCheck = {
  id: 'connections',
  group: 'server',
  on: 'data',
  caps: 'FFFW',
  guarantees: ['answers-in-time'],
  title: 'Room for connections',
  why: 'At maxclients Redis refuses new connections: a process that restarts cannot get back in.',
  thresholds: 'warn: above 80 % of maxclients; fail: rejected_connections grew',
  expected: 'below 80 % of maxclients, nothing rejected',
  remedy: { text: 'Raise maxclients, or find the clients that leak connections.', command: 'redis-cli CLIENT LIST' },
  judge({ infoNumber, settingNumber, grew }) {
    const connected = infoNumber('connected_clients')
    const most = settingNumber('maxclients', 'maxclients')
    const rejected = grew('rejected_connections')
    const remedy = {
      text: 'Raise maxclients, or find the clients that leak connections by CLIENT LIST.',
      command: `redis-cli CONFIG SET maxclients ${most.known ? most.value * 2 : ''}`,
    }
    const raise = most.known && most.value > 0 ? { remedy } : {}
    if (rejected !== null && rejected > 0) {
      return fail(
        { evidence: 'trace', source: 'INFO rejected_connections' },
        `${rejected} rejected since the last report`,
        'Redis turns connections away.',
        raise,
      )
    }
    if (!connected.known) return unknown(connected)
    if (!most.known) return unknown(most)
    const observed = `${connected.value} of ${most.value}`
    const extra = { data: { connected: connected.value, maxClients: most.value } }
    if (connected.value > most.value * 0.8)
      return warn(connected, observed, 'Soon Redis turns connections away.', { ...extra, ...raise })
    return pass(connected, observed, extra)
  },
}
