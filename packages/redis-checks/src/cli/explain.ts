import { checks } from '../catalogue.gen.ts'
import { isClientCheck } from '../check.ts'
import type { Check } from '../check.ts'
import { evidenceFor } from '../evidence.ts'
import { parseCaps, PROFILES } from '../level.ts'
import { CliError } from './exit-code.ts'
import { noSuchCheck } from './known-checks.ts'

/** The story of one check: why, thresholds, caps, evidence, remedy, what was measured. Without connecting. */
export function explain(id: string): string {
  const check = checks.find(check => check.id === id)
  if (check === undefined) throw new CliError(2, `--explain: ${noSuchCheck(id)}`)
  const caps = parseCaps(check.caps)
  const { text, command } = check.remedy
  return [
    `${check.id} (${check.group}): ${check.title}`,
    '',
    check.why,
    '',
    `Looked for   ${check.expected}`,
    `Thresholds   ${check.thresholds}`,
    `At most      ${PROFILES.map(profile => `${profile} ${caps[profile]}`).join(', ')}`,
    `Judged on    ${scopeOf(check)}${check.blocking === true ? '; a fail blocks: nothing can work now' : ''}`,
    `Evidence     ${evidenceOf(check)}`,
    `Protects     ${check.guarantees.join(', ')}`,
    `Remedy       ${text}`,
    ...(command === undefined ? [] : [`             ${command}`]),
    ...measuredFor(id),
    '',
  ].join('\n')
}

/** What the pitfall suite measured without the remedy. */
function measuredFor(id: string): string[] {
  const rows = evidenceFor(id)
  const pitfalls = [...new Set(rows.map(({ row }) => row))]
  return pitfalls.flatMap((pitfall, index) => {
    const versions = rows.filter(({ row }) => row === pitfall)
    return [
      `${(index === 0 ? 'Measured' : '').padEnd(13)}${pitfall}: ${versions[0]?.harm ?? ''}`,
      ...versions.map(({ version, figure }) => `               ioredis ${version}: ${figure}`),
    ]
  })
}

const SCOPES = {
  deployment: 'the deployment, once',
  data: 'each data node',
  masters: 'each master',
  sentinels: 'each sentinel',
  all: 'each node and sentinel',
} as const

function scopeOf(check: Check): string {
  if (isClientCheck(check)) return `the options of the client (${check.on.join(', ')})`
  return SCOPES[check.on]
}

function evidenceOf(check: Check): string {
  if (isClientCheck(check)) return 'options of the client, without I/O'
  const fast = check.fast === true ? '; also in the frequent run of a watch' : ''
  return `the first that answers: probe, CONFIG GET, INFO, HELLO or ROLE, attested${fast}`
}
