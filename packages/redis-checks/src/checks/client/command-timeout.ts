import type { ClientCheck } from '../../check.ts'
import { pass, warn, fail, byOption } from '../../finding.ts'

export const commandTimeout: ClientCheck = {
  id: 'command-timeout',
  group: 'client',
  on: ['effect'],
  caps: 'FFFW',
  guarantees: ['answers-in-time'],
  title: 'Commands end',
  why: 'A server that accepts and then hangs, or accepts and closes again and again, leaves every call pending (redis/ioredis#2197). A call longer than a third of the lease outlives its own right.',
  thresholds: 'fail: no commandTimeout (Cluster: in redisOptions); warn: above leaseMs / 3',
  expected: 'a commandTimeout of at most leaseMs / 3',
  remedy: { text: 'Set commandTimeout, for example 1000 (for a Cluster inside redisOptions).' },
  judge({ node, leaseMs }) {
    const value = node.commandTimeout
    const from = byOption('commandTimeout')
    if (value === undefined || value === null) return fail(from, 'none', 'A hung server leaves calls pending for ever.')
    const data = { commandTimeoutMs: value }
    if (leaseMs !== undefined && value > leaseMs / 3) {
      return warn(from, `${value} ms with a lease of ${leaseMs} ms`, 'A call may outlive the lease it works under.', {
        data,
      })
    }
    return pass(from, `${value} ms`, { data })
  },
}
