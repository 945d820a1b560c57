import type { ClientCheck } from '../../check.ts'
import { pass, warn, byOption } from '../../finding.ts'

export const keyPrefix: ClientCheck = {
  id: 'key-prefix',
  group: 'client',
  on: ['effect', 'worker'],
  caps: 'WWWI',
  guarantees: ['shared-state'],
  title: 'No keyPrefix',
  why: 'The idempotency and breaker packages build whole keys and refuse a client with a keyPrefix; one with braces moves every key into one Cluster slot.',
  thresholds: 'warn: a keyPrefix is set, all the more one with { or }',
  expected: 'no keyPrefix',
  remedy: { text: 'Remove keyPrefix and give each package its namespace.' },
  judge({ node, top }) {
    const prefix = top.keyPrefix || node.keyPrefix || ''
    const from = byOption('keyPrefix')
    if (prefix === '') return pass(from, 'none')
    if (/[{}]/.test(prefix)) return warn(from, 'a prefix with braces', 'Every key lies in one Cluster slot.')
    return warn(from, 'a prefix', 'The packages that keep state refuse this client.')
  },
}
