import type { ClientCheck } from '../../check.ts'
import { pass, warn, fail, byOption } from '../../finding.ts'
import { compareVersions } from '../../subject.ts'
import { knownDefects } from '../../known-defects.ts'

export const clientVersion: ClientCheck = {
  id: 'client-version',
  group: 'client',
  on: ['effect', 'worker', 'subscriber'],
  caps: 'FFFW',
  guarantees: ['honest-report'],
  title: 'A client whose behaviour is known',
  why: 'What this package says about a client was measured on ioredis 5.11 and 6; older ones behave otherwise, and some versions have defects that only options avert.',
  thresholds: 'fail: outside ^5.11 || ^6; warn: a known defect of this version that these options do not avert',
  expected: 'ioredis ^5.11 || ^6, with the options that avert its defects',
  remedy: { text: 'Install ioredis 6, and use connectRedis of @safety/redis-core, which averts each known defect.' },
  judge(subject) {
    const { ioredisVersion } = subject
    const from = byOption('ioredis version')
    const major = Number.parseInt(ioredisVersion, 10)
    const supported = major === 6 || (major === 5 && compareVersions(ioredisVersion, '5.11.0') >= 0)
    if (!supported)
      return fail(
        from,
        `ioredis ${ioredisVersion}`,
        'Nothing is known about how this version loses or repeats commands.',
      )
    const open = subject.role === 'effect' ? knownDefects(subject) : []
    if (open.length === 0) return pass(from, `ioredis ${ioredisVersion}`)
    return warn(
      from,
      `ioredis ${ioredisVersion} with ${open.join(', ')}`,
      'A known defect of this version is not averted.',
    )
  },
}
