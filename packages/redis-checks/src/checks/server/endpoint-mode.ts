import type { DeploymentCheck } from '../../check.ts'
import { pass, fail, skip, unknown } from '../../finding.ts'

export const endpointMode: DeploymentCheck = {
  id: 'endpoint-mode',
  group: 'server',
  on: 'deployment',
  caps: 'FFFF',
  blocking: true,
  guarantees: ['answers-in-time', 'shared-state'],
  title: 'The client fits the server',
  why: 'A plain client on a Cluster node is redirected for most keys and fails; on a Sentinel it finds no data at all; a Cluster client on a plain server finds no slots.',
  thresholds:
    'fail: a plain client on a Cluster node or a Sentinel, a Cluster client on a plain server, or another topology than expected',
  expected: 'a client of the kind of the deployment',
  remedy: { text: 'Use redis+cluster:// for a Cluster, redis+sentinel:// for Sentinels, redis:// for one server.' },
  judge({ data, deployment, context }) {
    const modes = data.map(({ node }) => node.mode)
    const shown = modes.find(mode => mode.known)
    if (shown === undefined) {
      const [first] = modes
      if (data.length === 0)
        return deployment.nodes.some(node => node.reachable)
          ? skip('unreachable', 'no data node answered')
          : skip('unreachable', 'no node answered')
      return first === undefined || first.known ? skip('unreachable', 'no node answered') : unknown(first)
    }
    const { clientKind, topology } = deployment
    const mode = shown.known ? shown.value : ''
    if (clientKind === 'standalone' && mode === 'cluster')
      return fail(shown, 'a plain client on a Cluster node', 'Most keys are refused with MOVED.')
    if (clientKind === 'standalone' && mode === 'sentinel')
      return fail(shown, 'a plain client on a Sentinel', 'A Sentinel holds no data.')
    if (clientKind === 'cluster' && mode !== 'cluster')
      return fail(shown, `a Cluster client on a ${mode} server`, 'There are no slots to route by.')
    const expected = context.expect.topology
    if (expected !== undefined && expected !== topology) {
      return fail(shown, topology, 'The deployment is not the one the application was told.', { expected })
    }
    return pass(shown, topology)
  },
}
