import type { NodeCheck } from '../../check.ts'
import { pass, warn, unknown } from '../../finding.ts'
import { missing } from '../../fact.ts'
import { aclLine } from '../../acl-line.ts'
import { accessOf } from '../../access-facts.ts'
import { shellLine } from '../../shell.ts'

export const excessPrivilege: NodeCheck = {
  id: 'excess-privilege',
  group: 'access',
  on: 'masters',
  caps: 'WIII',
  guarantees: ['record-stays'],
  title: 'No more rights than needed',
  why: 'A user that may FLUSHALL or change settings can lose every record by one mistake in one script.',
  thresholds: 'warn: FLUSHALL, FLUSHDB, CONFIG SET, DEBUG or SHUTDOWN is allowed',
  expected: 'a user without FLUSHALL, FLUSHDB, CONFIG SET, DEBUG and SHUTDOWN',
  remedy: { text: 'Give the application a user of its own.' },
  judge(subject) {
    const access = accessOf(subject)
    if ('kind' in access) return access
    const { facts, from } = access
    const allowed = [...facts.privileged].flatMap(([name, value]) => (value === 'allowed' ? [name] : []))
    const remedy = {
      text: "Give the application a user of its own: this line, then ACL SETUSER app on '>its password'.",
      command: aclLine(subject, 'app'),
    }
    if (allowed.length > 0)
      return warn(from, `allowed: ${allowed.join(', ')}`, 'One mistake can lose every record.', { remedy })
    if ([...facts.privileged.values()].includes('unreadable'))
      return unknown(
        missing(facts.because, 'ACL DRYRUN', `not known: ${facts.detail}`),
        facts.because !== 'refused'
          ? undefined
          : {
              text: 'Let this user ask what it may do (Redis 7.0), or look at its rules by ACL GETUSER.',
              command: shellLine('redis-cli', 'ACL', 'SETUSER', facts.user, '+acl|whoami', '+acl|dryrun'),
            },
      )
    return pass(from, 'none of them allowed')
  },
}
