import type { NodeCheck } from '../../check.ts'
import { pass, fail, skip, unknown } from '../../finding.ts'
import { missing } from '../../fact.ts'
import { aclLine } from '../../acl-line.ts'
import { accessOf } from '../../access-facts.ts'
import { listNames, remedyWhen } from '../../access-facts.ts'

export const scriptCommands: NodeCheck = {
  id: 'script-commands',
  group: 'access',
  on: 'masters',
  caps: 'FFFF',
  blocking: true,
  guarantees: ['answers-in-time', 'single-owner'],
  title: 'Scripts may run',
  why: 'Every step of this family is one script. A command inside it that the ACL refuses, TIME most often, fails it half-way.',
  thresholds: 'fail: EVAL, EVALSHA, SCRIPT LOAD or, inside a script, a command is refused',
  expected: 'EVAL, EVALSHA, SCRIPT LOAD, and every command inside scripts',
  remedy: { text: 'Allow them. The line below is complete.' },
  judge(subject) {
    const access = accessOf(subject)
    if ('kind' in access) return access
    const { facts, from } = access
    const names = (permission: string): string[] =>
      [...facts.scripts].flatMap(([name, value]) => (value === permission ? [name.replace('script:', '')] : []))
    const refused = names('refused')
    const unread = names('unreadable')
    const remedy = { text: 'Allow them. The line below is complete.', command: aclLine(subject, facts.user) }
    if (refused.length > 0)
      return fail(from, `refused: ${listNames(refused)}`, 'Scripts that need them fail.', {
        remedy,
        data: { refused: refused.join(' ') },
      })
    if (unread.length > 0 && !subject.context.writeProbe)
      return skip('no-write-probe', 'commands inside scripts are tried on the probe key')
    if (unread.length > 0)
      return unknown(
        missing(facts.because, from.source, `not known for ${listNames(unread)}: ${facts.detail}`),
        remedyWhen(facts.because, subject, facts.user),
      )
    return pass(from, `${facts.scripts.size} commands allowed`)
  },
}
