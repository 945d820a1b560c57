import type { ClientCheck } from '../../check.ts'
import { pass, warn, fail, byOption } from '../../finding.ts'

export const retriesPerRequest: ClientCheck = {
  id: 'retries-per-request',
  group: 'client',
  on: ['effect', 'worker'],
  caps: 'FFFW',
  guarantees: ['answers-in-time'],
  title: 'Calls fail soon while Redis is down',
  why: 'maxRetriesPerRequest counts reconnects, not tries of the command: 20, the default, takes more than a minute to the first error with a server that is down; null never gives one. A worker that blocks is the opposite: it must wait.',
  thresholds: 'fail: null; warn: above 2. Role worker: warn when it is not null',
  expected: '0 to 2; for a worker null',
  remedy: { text: 'Set maxRetriesPerRequest: 0 for calls with a meaning, null only for blocking workers.' },
  judge({ node, role }) {
    const value = node.maxRetriesPerRequest
    const from = byOption('maxRetriesPerRequest')
    if (role === 'worker') {
      if (value === null) return pass(from, 'null')
      return warn(from, String(value ?? '20 (default)'), 'A blocking read is rejected while Redis restarts.', {
        expected: 'null',
      })
    }
    if (value === null) return fail(from, 'null', 'While Redis is down a call never ends.')
    const retries = value ?? 20
    if (retries > 2)
      return warn(from, `${retries}`, 'While Redis is down a call takes long to fail.', { data: { retries } })
    return pass(from, String(retries), { data: { retries } })
  },
}
