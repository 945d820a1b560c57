import type { DeploymentCheck } from '../../check.ts'
import { pass, fail, skip, unknown } from '../../finding.ts'
import type { Remedy } from '../../finding.ts'
import { missing } from '../../fact.ts'
import type { Fact } from '../../fact.ts'
import { shellWord } from '../../shell.ts'
import type { NodeSubject } from '../../subject.ts'

const SETTINGS: readonly string[] = ['maxmemory-policy', 'appendonly', 'appendfsync', 'save', 'maxmemory']

export const nodeParity: DeploymentCheck = {
  id: 'node-parity',
  group: 'replication',
  on: 'deployment',
  caps: 'FFWI',
  guarantees: ['survives-crash', 'record-stays'],
  title: 'All nodes are alike',
  why: "A replica that evicts, keeps nothing on disk or has less memory becomes tomorrow's master with those settings.",
  thresholds: 'fail: policy, AOF, fsync, save, maxmemory or version differ',
  expected: 'the same settings on every node',
  remedy: { text: 'Give every node the same configuration file.' },
  judge({ data }) {
    if (data.length < 2) return skip('not-applicable', 'there is one node')
    const differences = SETTINGS.flatMap(
      name => differenceOf(name, data, ({ node }) => node.config.get(name) ?? NOT_SHOWN) ?? [],
    )
    differences.push(...(differenceOf('version', data, ({ node }) => node.version) ?? []))
    const from = { evidence: 'config' as const, source: 'CONFIG GET' }
    const [first] = differences
    if (first !== undefined) {
      const names = differences.map(({ name }) => name)
      const detail = `${first.name} is ${shown(first.value)} on ${first.node} and ${shown(first.other)} on ${first.otherNode}`
      return fail(from, `${names.join(', ')} differ`, `A failover changes what Redis guarantees: ${detail}.`, {
        data: { different: names.join(' ') },
        remedy: remedyOf(first),
      })
    }
    const isShown = data.some(({ node }) => SETTINGS.some(name => node.config.get(name)?.known === true))
    if (!isShown) return unknown(missing('refused', 'CONFIG GET', 'no node shows its settings'))
    return pass(from, `${data.length} nodes alike`)
  },
}

interface Difference {
  readonly name: string
  /** The master's, where it shows it. */
  readonly value: string
  readonly node: string
  readonly other: string
  readonly otherNode: string
}

const NOT_SHOWN: Fact<string> = missing('not-shown', 'CONFIG GET', 'not shown')

function differenceOf(
  name: string,
  data: readonly NodeSubject[],
  read: (subject: NodeSubject) => Fact<string>,
): Difference[] | undefined {
  const known = [...data]
    .sort((a, b) => Number(b.isMaster) - Number(a.isMaster))
    .flatMap(subject => {
      const fact = read(subject)
      return fact.known ? [{ id: subject.node.id, value: fact.value }] : []
    })
  const [first] = known
  const other = known.find(({ value }) => value !== first?.value)
  if (first === undefined || other === undefined) return undefined
  return [{ name, value: first.value, node: first.id, other: other.value, otherNode: other.id }]
}

function remedyOf({ name, value, otherNode }: Difference): Remedy {
  const { text } = nodeParity.remedy
  if (name === 'version') return { text: 'Run one version on every node.' }
  if (name === 'maxmemory' && value === '0') return { text: `${text} First give the master a limit: see memory-limit.` }
  return { text: `${text} Now:`, command: `redis-cli CONFIG SET ${name} ${shellWord(value)}`, node: otherNode }
}

function shown(value: string): string {
  return value === '' ? 'empty' : value
}
