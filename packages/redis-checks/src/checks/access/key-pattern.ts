import type { NodeCheck } from '../../check.ts'
import { pass, fail, unknown } from '../../finding.ts'
import { missing } from '../../fact.ts'
import { aclLine } from '../../acl-line.ts'
import { accessOf } from '../../access-facts.ts'

export const keyPattern: NodeCheck = {
  id: 'key-pattern',
  group: 'access',
  on: 'masters',
  caps: 'FFFF',
  blocking: true,
  guarantees: ['answers-in-time'],
  title: 'The keys are allowed',
  why: 'A user may run every command and still not touch the keys of the application.',
  thresholds: 'fail: NOPERM on the probe key under the real prefix',
  expected: 'the key prefix of the application is allowed',
  remedy: { text: 'Allow the prefix. The line below is complete.' },
  judge(subject) {
    const access = accessOf(subject)
    if ('kind' in access) return access
    const { facts, from } = access
    const remedy = { text: 'Allow the prefix. The line below is complete.', command: aclLine(subject, facts.user) }
    if (facts.key === 'refused')
      return fail(from, 'keys under the prefix are refused', 'Every call fails with NOPERM.', { remedy })
    if (facts.key === 'unreadable')
      return unknown(
        missing(facts.because, from.source, `not known: ${facts.detail}`),
        facts.because === 'refused' ? remedy : undefined,
      )
    return pass(from, 'keys under the prefix are allowed')
  },
}
