import type { ClientCheck } from '../../check.ts'
import { pass, warn, fail, byOption } from '../../finding.ts'

export const reconnectOnError: ClientCheck = {
  id: 'reconnect-on-error',
  group: 'client',
  on: ['effect', 'worker'],
  caps: 'FFFW',
  guarantees: ['single-owner', 'answers-in-time'],
  title: 'Error replies re-send nothing',
  why: 'reconnectOnError answering 2 sends the failed command again, whatever it did. Answering nothing to READONLY keeps a client on a demoted master for ever.',
  thresholds: 'fail: answers 2 to a timeout or a plain ERR; warn: nothing on READONLY with Sentinel or replicas',
  expected: '1 on READONLY, nothing else',
  remedy: { text: "Set reconnectOnError: error => (error.message.startsWith('READONLY') ? 1 : false)." },
  judge({ kind, node, replicas = 0 }) {
    const from = byOption('reconnectOnError')
    const ask = (message: string): unknown => node.reconnectOnError?.(replyError(message))
    const resent = ['Command timed out', 'ERR unknown', 'LOADING Redis is loading the dataset in memory'].filter(
      text => ask(text) === 2,
    )
    if (resent.length > 0)
      return fail(from, `answers 2 to "${resent[0]}"`, 'The failed command is sent again, whatever it did.')
    const moves = kind === 'sentinel' || replicas > 0
    if (moves && !ask("READONLY You can't write against a read only replica.")) {
      return warn(from, 'nothing on READONLY', 'After a failover the client may stay on the demoted master.')
    }
    return pass(from, node.reconnectOnError ? 're-sends nothing' : 'none')
  },
}

function replyError(message: string): Error {
  const error = new Error(message)
  error.name = message.startsWith('Command timed out') ? 'Error' : 'ReplyError'
  return error
}
