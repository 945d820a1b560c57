import type { ClientCheck } from '../../check.ts'
import { pass, fail, byOption } from '../../finding.ts'
import { compareVersions } from '../../subject.ts'

export const resendOffHang: ClientCheck = {
  id: 'resend-off-hang',
  group: 'client',
  on: ['effect'],
  caps: 'FFFW',
  guarantees: ['answers-in-time'],
  title: 'No command that never settles',
  why: 'Up to ioredis 6.0.0 a command in flight when the connection breaks is forgotten when re-sending is off and there is no commandTimeout: its promise stays pending for ever, also after disconnect() (redis/ioredis#2193).',
  thresholds: 'fail: re-sending off and no commandTimeout, up to ioredis 6.0.0',
  expected: 'a commandTimeout beside autoResendUnfulfilledCommands: false',
  remedy: { text: 'Set commandTimeout, for example 1000.' },
  judge({ node, ioredisVersion }) {
    const from = byOption('commandTimeout')
    const hangs = node.autoResendUnfulfilledCommands === false && node.commandTimeout === undefined
    if (!hangs) return pass(from, node.commandTimeout === undefined ? 're-sending is on' : `${node.commandTimeout} ms`)
    if (compareVersions(ioredisVersion, '6.0.0') > 0) return pass(from, `ioredis ${ioredisVersion}`)
    return fail(from, `none, on ioredis ${ioredisVersion}`, 'A lost reply leaves the call pending for ever.')
  },
}
