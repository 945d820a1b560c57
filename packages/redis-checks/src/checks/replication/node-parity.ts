import type { DeploymentCheck } from '../../check.ts'
import { pass, fail, skip, unknown } from '../../finding.ts'
import { missing } from '../../fact.ts'

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
  remedy: { text: 'Give every node the same configuration file.', command: 'redis-cli CONFIG GET maxmemory-policy' },
  judge({ data }) {
    if (data.length < 2) return skip('not-applicable', 'there is one node')
    const different: string[] = []
    let shown = 0
    for (const name of ['maxmemory-policy', 'appendonly', 'appendfsync', 'save', 'maxmemory']) {
      const values = data.flatMap(({ node }) => {
        const fact = node.config.get(name)
        return fact?.known === true ? [fact.value] : []
      })
      shown += values.length
      if (new Set(values).size > 1) different.push(name)
    }
    const versions = data.flatMap(({ node }) => (node.version.known ? [node.version.value] : []))
    if (new Set(versions).size > 1) different.push('version')
    const from = { evidence: 'config' as const, source: 'CONFIG GET' }
    if (different.length > 0)
      return fail(from, `${different.join(', ')} differ`, 'A failover changes what Redis guarantees.', {
        data: { different: different.join(' ') },
      })
    if (shown === 0) return unknown(missing('refused', 'CONFIG GET', 'no node shows its settings'))
    return pass(from, `${data.length} nodes alike`)
  },
}
