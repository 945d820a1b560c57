import type { NodeCheck } from '../../check.ts'
import { pass, info, warn, fail, unknown } from '../../finding.ts'
import { compareVersions } from '../../subject.ts'

export const serverVersion: NodeCheck = {
  id: 'server-version',
  group: 'server',
  on: 'data',
  caps: 'FFFW',
  guarantees: ['honest-report'],
  title: 'A server whose behaviour is known',
  why: 'Before Redis 6.2 scripts replicate otherwise and error texts differ; a service that is neither Redis nor Valkey may accept a setting and not keep it.',
  thresholds: 'fail: Redis below 6.2 or below minVersion; warn: neither Redis nor Valkey; info: below 7.2',
  expected: 'Redis or Valkey, 7.2 or newer',
  remedy: { text: 'Update the server. From 7.2 on WAITAOF proves that a write reached the disk.' },
  judge({ node, context }) {
    if (!node.version.known) return unknown(node.version)
    const version = node.version.value
    const product = node.product.known ? node.product.value.toLowerCase() : 'redis'
    const observed = `${product} ${version}`
    const least = context.expect.minVersion
    if (least !== undefined && compareVersions(version, least) < 0) {
      return fail(node.version, observed, 'Older than the application allows.', { expected: `${least} or newer` })
    }
    if (product !== 'redis' && product !== 'valkey')
      return warn(node.version, observed, 'Neither Redis nor Valkey: its settings may not mean the same.')
    if (product === 'redis' && compareVersions(version, '6.2') < 0)
      return fail(node.version, observed, 'Too old: scripts and error texts differ.')
    if (compareVersions(version, '7.2') < 0)
      return info(node.version, observed, 'WAITAOF is missing, so that no probe shows a write on the disk.')
    return pass(node.version, observed)
  },
}
