import type { ClientCheck } from '../../check.ts'
import { pass, fail, byOption } from '../../finding.ts'
import type { ClientSubject } from '../../client-subject.ts'

export const resendUnfulfilled: ClientCheck = {
  id: 'resend-unfulfilled',
  group: 'client',
  on: ['effect'],
  caps: 'FFWI',
  guarantees: ['single-owner', 'honest-report'],
  title: 'No automatic re-sending',
  why: 'With autoResendUnfulfilledCommands a lost reply makes ioredis send the command again after the reconnect: INCR, MULTI and EVAL run twice, and SET NX tells its own owner that somebody else has the key.',
  thresholds: 'fail: autoResendUnfulfilledCommands is not false',
  expected: 'autoResendUnfulfilledCommands: false',
  remedy: {
    text: 'Set autoResendUnfulfilledCommands: false together with a commandTimeout, or use connectRedis of @safety/redis-core.',
  },
  judge({ kind, node }) {
    const value = node.autoResendUnfulfilledCommands
    const from = byOption('autoResendUnfulfilledCommands')
    if (value === false) return pass(from, 'false')
    // Nodes of a Cluster do not reconnect by themselves, and then re-send nothing; its own repeats are cluster-retry.
    if (kind === 'cluster' && !reconnectsNodes(node))
      return pass(from, 'nodes of this Cluster do not reconnect by themselves')
    return fail(
      from,
      String(value ?? 'true (default)'),
      'A command whose reply is lost is sent a second time and runs twice.',
    )
  },
}

function reconnectsNodes(node: ClientSubject['node']): boolean {
  return typeof (node as { clusterNodeRetryStrategy?: unknown }).clusterNodeRetryStrategy === 'function'
}
