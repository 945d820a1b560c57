import type { ClientCheck } from '../../check.ts'
import { pass, info, warn, byOption } from '../../finding.ts'

export const retryStrategy: ClientCheck = {
  id: 'retry-strategy',
  group: 'client',
  on: ['effect', 'worker', 'subscriber'],
  caps: 'WWWI',
  guarantees: ['answers-in-time'],
  title: 'Reconnects for ever, soon, and not all at once',
  why: 'A strategy that stops leaves a client dead until the process restarts; one that waits minutes notices a healthy Redis late; without jitter every process reconnects in the same moment.',
  thresholds: 'warn: for some attempt 1..50 it stops or waits more than 30 000 ms; info: no jitter',
  expected: 'delays of at most 30 000 ms, with jitter, for ever',
  remedy: {
    text: 'Use retryStrategy: n => Math.min(50 * 2 ** n, 2000) * (0.5 + Math.random() / 2) (Cluster: clusterRetryStrategy).',
  },
  judge({ kind, node, top }) {
    const name = kind === 'cluster' ? 'clusterRetryStrategy' : 'retryStrategy'
    const from = byOption(name)
    const strategy = kind === 'cluster' ? top.clusterRetryStrategy : node.retryStrategy
    if (typeof strategy !== 'function')
      return warn(from, 'none', 'After the first break the client stays disconnected.')
    const delays = Array.from({ length: 50 }, (_, index) => strategy(index + 1))
    const stop = delays.findIndex(delay => typeof delay !== 'number' || Number.isNaN(delay))
    if (stop !== -1) return warn(from, `stops at attempt ${stop + 1}`, 'The client gives up and stays disconnected.')
    const longest = Math.max(...(delays as number[]))
    const data = { longestDelayMs: longest }
    if (longest > 30_000) return warn(from, `waits up to ${longest} ms`, 'A healthy Redis is noticed late.', { data })
    const again = Array.from({ length: 4 }, () => strategy(10))
    if (again.every(delay => delay === again[0])) {
      return info(from, `up to ${longest} ms, without jitter`, 'All processes reconnect in the same moment.', { data })
    }
    return pass(from, `up to ${longest} ms, with jitter`, { data })
  },
}
