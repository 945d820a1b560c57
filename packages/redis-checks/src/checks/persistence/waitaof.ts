import type { NodeCheck } from '../../check.ts'
import { pass, warn, fail, skip, unknown } from '../../finding.ts'

export const waitaof: NodeCheck = {
  id: 'waitaof',
  group: 'persistence',
  on: 'masters',
  caps: 'FFI.',
  guarantees: ['survives-crash'],
  title: 'A write is proven on the disk',
  why: 'WAITAOF (7.2) says when a write of this connection is in the append-only file and synced: the only proof there is.',
  thresholds: '7.2+, after a write: fail: "disabled"; warn: silent for 1500 ms',
  expected: 'WAITAOF answers within 1500 ms',
  remedy: {
    text: 'Turn the append-only file on; look at the disk if it stays silent.',
    command: 'redis-cli CONFIG SET appendonly yes',
  },
  judge({ node, atLeast, context }) {
    if (!node.version.known) return unknown(node.version)
    if (!atLeast('7.2')) return skip('not-applicable', `WAITAOF needs 7.2, this is ${node.version.value}`)
    if (!context.writeProbe || node.probe === null) return skip('no-write-probe', 'needs a write')
    const { waitAof } = node.probe
    if (!waitAof.known) return unknown(waitAof)
    if (waitAof.value === 'disabled')
      return fail(waitAof, 'the append-only file is off', 'No write reaches an append-only file.')
    if (waitAof.value === 'silent')
      return warn(waitAof, 'not synced within 1500 ms', 'The disk is slow or stuck.', {
        remedy: { text: 'Look at the disk and at a rewrite under way.', command: 'redis-cli INFO persistence' },
      })
    return pass(waitAof, 'synced')
  },
}
