import { connectRedis } from '@safety/redis-core'
import { startFaultProxy, startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'

import { checkRedis } from '@safety/redis-checks'

const NODES = 30
const SLOTS = 16_384
const DELAY_MS = 1
const FORM_TIMEOUT_MS = 60_000
const RUNS = 7

/**
 * Full runs over a Cluster of 30 masters, each behind a proxy that delays every reply by 1 ms, in milliseconds. Masters
 * alone: each of them is probed by a write as well, which no replica is.
 */
export async function measureThirtyNodes(): Promise<number[]> {
  await using stack = new AsyncDisposableStack()
  const starting = Array.from({ length: NODES }, () => startRedis({ args: ['--cluster-enabled', 'yes'] }))
  for (const started of await Promise.allSettled(starting)) {
    if (started.status === 'fulfilled') stack.use(started.value)
  }
  const servers = await Promise.all(starting)
  await form(servers)
  const natMap: Record<string, { host: string; port: number }> = {}
  for (const server of servers) {
    const proxy = stack.use(await startFaultProxy(server, { rules: [{ action: { kind: 'delay', ms: DELAY_MS } }] }))
    natMap[`${server.host}:${server.port}`] = { host: proxy.host, port: proxy.port }
  }
  return await measure(natMap)
}

async function measure(natMap: Record<string, { host: string; port: number }>): Promise<number[]> {
  const nodes = Object.values(natMap).slice(0, 3) as [{ host: string; port: number }]
  const redis = connectRedis({ kind: 'cluster', nodes, natMap }, { profile: 'checks' })
  const takenMs: number[] = []
  try {
    for (let run = 0; run < RUNS; run++) {
      const report = await checkRedis(redis, { profile: 'idempotency.standard', timeoutMs: 30_000 })
      const answered = report.nodes.filter(node => node.reachable).length
      if (answered !== NODES || !report.complete) throw new Error(`${answered} of ${NODES} nodes: not a full run`)
      takenMs.push(report.durationMs)
    }
  } finally {
    redis.disconnect()
  }
  return takenMs
}

/** Introduces every pair, since gossip alone would take long, and waits until each sees every slot served. */
async function form(servers: readonly RedisServer[]): Promise<void> {
  const clients = servers.map(server => server.client({ commandTimeoutMs: 10_000 }))
  for (const [index, client] of clients.entries()) {
    const first = Math.floor((SLOTS * index) / NODES)
    const last = Math.floor((SLOTS * (index + 1)) / NODES) - 1
    await new Promise<void>(resolve => (client.status === 'ready' ? resolve() : client.once('ready', () => resolve())))
    await client.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1)
    await client.call('CLUSTER', 'ADDSLOTSRANGE', first, last)
  }
  for (const [index, client] of clients.entries()) {
    for (const { host, port } of servers.slice(index + 1)) await client.call('CLUSTER', 'MEET', host, port)
  }
  const endMs = performance.now() + FORM_TIMEOUT_MS
  for (const client of clients) {
    while (!(await isWhole(client))) {
      if (performance.now() > endMs) throw new Error(`${NODES} nodes did not form a Cluster in time`)
      await new Promise(resolve => setTimeout(resolve, 100))
    }
    client.disconnect()
  }
}

async function isWhole(client: ReturnType<RedisServer['client']>): Promise<boolean> {
  const state = String(await client.call('CLUSTER', 'INFO'))
  const nodes = String(await client.call('CLUSTER', 'NODES'))
    .trim()
    .split('\n')
  const linked = nodes.filter(line => / connected\b/.test(line) && !line.includes('handshake'))
  return state.includes('cluster_state:ok') && linked.length === NODES
}
