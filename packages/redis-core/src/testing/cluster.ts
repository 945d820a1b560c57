import { checkNumber } from './option-checks.ts'
import { poll } from './poll.ts'
import { disposeAll, newestOf, startAll, type RedisGroup } from './redis-group.ts'
import { launchServer, respTarget, type RedisServer } from './redis-server.ts'
import { openRespConnection, withRespConnection, type RespConnection } from './resp/connection.ts'
import { isRespError, textOf, type RespValue } from './resp/value.ts'
import { serverError } from './server-error.ts'
import { checkTls, trustOf, type ServerTls } from './tls.ts'

export interface StartClusterOptions {
  /** As for `resolveRedisServer`. */
  binary?: string
  /** Replicas of each of the three masters, 0..3. @default 1 */
  replicasPerMaster?: number
  /** `cluster-node-timeout`: silence after which a node is held for down, milliseconds, 500..60000. @default 2000 */
  nodeTimeoutMs?: number
  /** More arguments for each node. */
  args?: string[]
  /** As for `startRedis`, for every node and between them. */
  tls?: ServerTls
}

interface Node {
  server: RedisServer
  connection: RespConnection
  id: string
}

/** One line of CLUSTER NODES. */
interface NodeView {
  id: string
  port: number
  flags: readonly string[]
  masterId: string
  epoch: number
  linked: boolean
  slots: readonly (readonly [first: number, last: number])[]
}

const MASTERS = 3
const SLOTS = 16_384
const FORM_TIMEOUT_MS = 60_000
const ASK_TIMEOUT_MS = 1_000

async function command(connection: RespConnection, ...args: (string | number)[]): Promise<RespValue> {
  const reply = await connection.send(...args)
  if (isRespError(reply)) throw serverError(`${args.slice(0, 2).join(' ')} was refused: ${reply.error}`)
  return reply
}

function parseNode(line: string): NodeView {
  const [id = '', address = '', flags = '', masterId = '', , , epoch = '0', link = '', ...slots] = line.split(' ')
  const ranges = slots.filter(slot => !slot.startsWith('['))
  return {
    id,
    port: Number(/:(\d+)/.exec(address)?.[1]),
    flags: flags.split(','),
    masterId,
    epoch: Number(epoch),
    linked: link === 'connected',
    slots: ranges.map(range => {
      const [first, last = first] = range.split('-').map(Number) as [number, number?]
      return [first, last] as const
    }),
  }
}

async function readNodes(connection: RespConnection): Promise<NodeView[]> {
  const text = await command(connection, 'CLUSTER', 'NODES')
  return textOf(text).split('\n').filter(Boolean).map(parseNode)
}

/** Every pair is introduced, since gossip alone would take seconds. */
async function introduce(nodes: readonly Node[]): Promise<void> {
  for (const [index, node] of nodes.entries()) {
    for (const { server } of nodes.slice(index + 1))
      await command(node.connection, 'CLUSTER', 'MEET', server.host, server.port)
  }
}

async function assignSlots(masters: readonly Node[]): Promise<void> {
  for (const [index, { connection }] of masters.entries()) {
    await command(connection, 'CLUSTER', 'SET-CONFIG-EPOCH', index + 1)
    const first = Math.floor((SLOTS * index) / masters.length)
    const last = Math.floor((SLOTS * (index + 1)) / masters.length)
    // One by one rather than ADDSLOTSRANGE, which 6.2 does not know.
    await command(
      connection,
      'CLUSTER',
      'ADDSLOTS',
      ...Array.from({ length: last - first }, (_, offset) => first + offset),
    )
  }
}

function masterOf(nodes: readonly Node[], index: number): Node {
  return nodes[index % MASTERS] as Node
}

/** True when this node sees every node linked, with its final role. */
function seesAll(views: readonly NodeView[], nodes: readonly Node[]): boolean {
  if (views.length !== nodes.length) return false
  return nodes.every((node, index) => {
    const view = views.find(candidate => candidate.id === node.id)
    if (view === undefined || !view.linked) return false
    if (index < MASTERS) return view.flags.includes('master') && view.slots.length > 0
    return view.flags.includes('slave') && view.masterId === masterOf(nodes, index).id
  })
}

async function isWhole(node: Node, nodes: readonly Node[], isMaster: boolean): Promise<boolean> {
  if (!seesAll(await readNodes(node.connection), nodes)) return false
  const state = textOf(await command(node.connection, 'CLUSTER', 'INFO'))
  if (!state.includes('cluster_state:ok') || !state.includes(`cluster_slots_ok:${SLOTS}`)) return false
  return isMaster || textOf(await command(node.connection, 'INFO', 'replication')).includes('master_link_status:up')
}

function awaitAll(
  nodes: readonly Node[],
  isDone: (node: Node, index: number) => Promise<boolean>,
  what: string,
): Promise<unknown> {
  return Promise.all(
    nodes.map((node, index) =>
      poll(async () => (await isDone(node, index)) || undefined, {
        timeoutMs: FORM_TIMEOUT_MS,
        otherwise: () =>
          serverError(
            `the cluster node on port ${node.server.port} ${what} within ${FORM_TIMEOUT_MS} ms:\n${node.server.log()}`,
          ),
      }),
    ),
  )
}

async function form(nodes: readonly Node[]): Promise<void> {
  await assignSlots(nodes.slice(0, MASTERS))
  await introduce(nodes)
  const knowsAll = async ({ connection }: Node): Promise<boolean> => {
    const views = await readNodes(connection)
    return views.length === nodes.length && views.every(view => view.linked && !view.flags.includes('handshake'))
  }
  await awaitAll(nodes, knowsAll, 'did not meet the others')
  for (const [index, { connection }] of nodes.entries()) {
    if (index >= MASTERS) await command(connection, 'CLUSTER', 'REPLICATE', masterOf(nodes, index).id)
  }
  await awaitAll(nodes, (node, index) => isWhole(node, nodes, index < MASTERS), 'did not see a whole cluster')
}

/** Lends a connection to every server, and closes them all afterwards. */
async function withNodes(
  servers: readonly RedisServer[],
  work: (nodes: readonly Node[]) => Promise<void>,
): Promise<void> {
  const nodes: Node[] = []
  try {
    for (const server of servers) {
      const node: Node = { server, connection: await openRespConnection(respTarget(server)), id: '' }
      nodes.push(node)
      node.id = textOf(await command(node.connection, 'CLUSTER', 'MYID'))
    }
    await work(nodes)
  } finally {
    for (const { connection } of nodes) connection.close()
  }
}

interface Answer {
  slot: number
  views: readonly NodeView[]
}

async function ask(server: RedisServer, key: string | undefined): Promise<Answer | undefined> {
  try {
    return await withRespConnection(respTarget(server, ASK_TIMEOUT_MS), async connection => ({
      slot: key === undefined ? 0 : Number(await command(connection, 'CLUSTER', 'KEYSLOT', key)),
      views: await readNodes(connection),
    }))
  } catch {
    return undefined // down, or stopped: the others decide
  }
}

/** The owner of the slot with the newest claim that any node knows of. */
async function findMaster(servers: readonly RedisServer[], key: string | undefined): Promise<RedisServer> {
  const answers = await Promise.all(servers.map(server => ask(server, key)))
  const claims = answers.flatMap(answer =>
    answer === undefined
      ? []
      : answer.views.filter(view => view.slots.some(([first, last]) => first <= answer.slot && answer.slot <= last)),
  )
  const newest = newestOf(claims)
  const owner = servers.find(server => server.port === newest?.port)
  if (owner === undefined)
    throw serverError('no node of the cluster answers for this slot; restart() one of them first')
  return owner
}

/**
 * Starts a cluster of three masters and their replicas, all real processes, and resolves once every node sees every slot
 * served and every replica linked.
 *
 * @throws `ERR_REDIS_OPTIONS` naming the field; `ERR_REDIS_SERVER` as `startRedis`, or when the cluster does not form within 60 s
 */
export async function startCluster(options: StartClusterOptions = {}): Promise<RedisGroup> {
  const { replicasPerMaster = 1, nodeTimeoutMs = 2_000, args = [], tls } = options
  checkNumber('replicasPerMaster', replicasPerMaster, { min: 0, max: 3 })
  checkNumber('nodeTimeoutMs', nodeTimeoutMs, { min: 500, max: 60_000 })
  checkTls(tls)
  const password = args[args.lastIndexOf('--requirepass') + 1]
  const masterAuth = args.includes('--requirepass') ? ['--masterauth', password as string] : []
  const lines = ['cluster-enabled yes', 'cluster-config-file nodes.conf', `cluster-node-timeout ${nodeTimeoutMs}`]
  const base = {
    ...(options.binary === undefined ? {} : { binary: options.binary }),
    ...(tls === undefined ? {} : { tls }),
  }
  const starts = Array.from({ length: MASTERS * (1 + replicasPerMaster) }, () =>
    launchServer({ ...base, args: [...args, ...masterAuth], lines, withBus: true }),
  )
  const servers = await startAll(starts)
  try {
    await withNodes(servers, form)
  } catch (error) {
    await disposeAll(servers)
    throw error
  }
  const secret = new URL((servers[0] as RedisServer).url).password
  const credentials = secret === '' ? '' : `:${secret}@`
  return {
    url: `${tls === undefined ? 'redis' : 'rediss'}+cluster://${credentials}${servers.map(({ host, port }) => `${host}:${port}`).join(',')}`,
    tls: trustOf(tls),
    servers,
    sentinels: [],
    master: key => findMaster(servers, key),
    [Symbol.asyncDispose]: () => disposeAll(servers),
  }
}
