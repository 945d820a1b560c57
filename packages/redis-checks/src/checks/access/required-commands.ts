import type { NodeCheck } from '../../check.ts'
import { pass, fail, unknown } from '../../finding.ts'
import { missing } from '../../fact.ts'
import { aclLine } from '../../acl-line.ts'
import { accessOf } from '../../access-facts.ts'
import { listNames, remedyWhen } from '../../access-facts.ts'

export const requiredCommands: NodeCheck = {
  id: 'required-commands',
  group: 'access',
  on: 'masters',
  caps: 'FFFF',
  blocking: true,
  guarantees: ['answers-in-time'],
  title: 'The needed commands are allowed',
  why: 'A command that the ACL of this user refuses fails in the middle of an effect, on the first order of the day.',
  thresholds: 'fail: a command of expect.access is refused; all are listed',
  expected: 'every command of expect.access',
  remedy: { text: 'Allow them. The line below is complete.' },
  judge(subject) {
    const access = accessOf(subject)
    if ('kind' in access) return access
    const { facts, need, from } = access
    const refused = need.commands.filter(command => facts.commands.get(command) === 'refused')
    const unread = need.commands.filter(command => (facts.commands.get(command) ?? 'unreadable') === 'unreadable')
    const remedy = { text: 'Allow them. The line below is complete.', command: aclLine(subject, facts.user) }
    if (refused.length > 0)
      return fail(from, `refused: ${listNames(refused)}`, 'Calls that need them fail.', {
        remedy,
        data: { refused: refused.join(' ') },
      })
    if (unread.length > 0)
      return unknown(
        missing(facts.because, from.source, `not known for ${listNames(unread)}: ${facts.detail}`),
        remedyWhen(facts.because, subject, facts.user),
      )
    return pass(from, `${need.commands.length} commands allowed`)
  },
}
