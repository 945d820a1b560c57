import { aclLine } from './acl-line.ts'
import { accessNeed } from './expectations.ts'
import type { AccessNeed } from './expectations.ts'
import { missing } from './fact.ts'
import type { Origin } from './fact.ts'
import { skip, unknown } from './finding.ts'
import type { Finding, Remedy } from './finding.ts'
import type { AccessFacts } from './node-facts.ts'
import type { UnknownBecause } from './report.ts'
import type { NodeSubject } from './subject.ts'

const MAX_LISTED = 12

/** What the user may do, or the finding that says why that is not known. */
export function accessOf(
  subject: NodeSubject,
): { readonly facts: AccessFacts; readonly need: AccessNeed; readonly from: Origin } | Finding {
  const { node, context } = subject
  const facts = node.access
  if (facts === null) return skip('no-write-probe', 'the node was not probed')
  const write = node.probe?.write
  const unread = [...facts.commands.values()].every(permission => permission === 'unreadable')
  if (unread && !context.writeProbe) return skip('no-write-probe', 'ACL DRYRUN is refused, and nothing may be tried')
  if (unread && write?.ok === false) {
    const fact = missing(write.because, 'SET', `the probe could not write: ${write.text}`)
    return unknown(fact, remedyWhen(write.because, subject, facts.user))
  }
  return {
    facts,
    need: accessNeed(context.profile, context.expect),
    from: { evidence: facts.evidence, source: facts.source },
  }
}

/** The line that allows what is missing; none where it is not the permission that is missing. */
export function remedyWhen(because: UnknownBecause, subject: NodeSubject, user: string): Remedy | undefined {
  if (because !== 'refused') return undefined
  return { text: 'Allow them. The line below is complete.', command: aclLine(subject, user) }
}

export function listNames(names: readonly string[]): string {
  const more = names.length - MAX_LISTED
  return more > 0 ? `${names.slice(0, MAX_LISTED).join(', ')} and ${more} more` : names.join(', ')
}
