import { randomBytes } from 'node:crypto'
import { checkNumber } from './option-checks.ts'
import { poll } from './poll.ts'
import { disposeAll, newestOf, startAll, type RedisGroup } from './redis-group.ts'
import { launchServer, respTarget, startRedis, type RedisServer } from './redis-server.ts'
import { withRespConnection, type RespConnection } from './resp/connection.ts'
import { isRespError, textOf, type RespValue } from './resp/value.ts'
import { serverError } from './server-error.ts'
import { checkTls, trustOf, type ServerTls } from './tls.ts'

export interface StartSentinelOptions {
  /** As for `resolveRedisServer`. */
  binary?: string
  /** Replicas of the one master, 0..10. @default 2 */
  replicas?: number
  /** Silence after which a sentinel holds the master for down, milliseconds, 100..60000. @default 1000 */
  downAfterMs?: number
  /** More arguments for the master and each replica. */
  args?: string[]
  /** As for `startRedis`, for every server and sentinel. */
  tls?: ServerTls
}

const MASTER_NAME = 'mymaster'
const SENTINELS = 3
const QUORUM = 2
const FORM_TIMEOUT_MS = 30_000
const ASK_TIMEOUT_MS = 1_000
// A sentinel that was stopped, or starved by a busy machine, refuses to act for this long; the default is 30 s.
const TILT_PERIOD_MS = 2_000
// How often sentinels greet each other: often until the group stands, then as by default.
const FORMING_PUBLISH_MS = 100
const PUBLISH_PERIOD_MS = 2_000

interface Plan {
  master: RedisServer
  replicas: readonly RedisServer[]
  downAfterMs: number
}

/** Everything a sentinel would find out by itself within some seconds, written down so that the group stands at once. */
function sentinelLines(plan: Plan): string[] {
  const { master, downAfterMs } = plan
  const password = decodeURIComponent(new URL(master.url).password)
  // An attempt that ends without a leader is repeated after twice this time.
  const failoverTimeoutMs = Math.max(3_000, downAfterMs * 3)
  return [
    `sentinel myid ${randomBytes(20).toString('hex')}`,
    `sentinel monitor ${MASTER_NAME} ${master.host} ${master.port} ${QUORUM}`,
    ...(password === '' ? [] : [`sentinel auth-pass ${MASTER_NAME} "${password}"`]),
    `sentinel down-after-milliseconds ${MASTER_NAME} ${downAfterMs}`,
    `sentinel failover-timeout ${MASTER_NAME} ${failoverTimeoutMs}`,
    `sentinel parallel-syncs ${MASTER_NAME} ${Math.max(1, plan.replicas.length)}`,
    ...plan.replicas.map(replica => `sentinel known-replica ${MASTER_NAME} ${replica.host} ${replica.port}`),
  ]
}

function toFields(reply: RespValue): Map<string, string> | undefined {
  if (!Array.isArray(reply)) return undefined
  const fields = new Map<string, string>()
  for (let index = 0; index + 1 < reply.length; index += 2) fields.set(textOf(reply[index]), textOf(reply[index + 1]))
  return fields
}

function isLinked(reply: RespValue): boolean {
  const fields = toFields(reply)
  return fields?.get('flags') === 'slave' && fields.get('master-link-status') === 'ok'
}

/** True once this sentinel sees the others, has a quorum, and has every replica in its list, linked to the master. */
async function standsReady(connection: RespConnection, replicas: number): Promise<boolean> {
  const quorum = await connection.send('SENTINEL', 'CKQUORUM', MASTER_NAME)
  if (isRespError(quorum)) return false
  const master = toFields(await connection.send('SENTINEL', 'MASTER', MASTER_NAME))
  if (master?.get('flags') !== 'master' || master.get('num-other-sentinels') !== String(SENTINELS - 1)) return false
  const known = await connection.send('SENTINEL', 'REPLICAS', MASTER_NAME)
  return Array.isArray(known) && known.filter(isLinked).length === replicas
}

function awaitReady(sentinel: RedisServer, replicas: number): Promise<unknown> {
  return withRespConnection(respTarget(sentinel), connection =>
    poll(async () => (await standsReady(connection, replicas)) || undefined, {
      timeoutMs: FORM_TIMEOUT_MS,
      otherwise: () =>
        serverError(
          `the sentinel on port ${sentinel.port} saw no whole group within ${FORM_TIMEOUT_MS} ms:\n${sentinel.log()}`,
        ),
    }),
  )
}

/** Redis 7 and later. An older sentinel refuses; its group takes some seconds more to form and to act after a pause. */
async function setPeriod(sentinels: readonly RedisServer[], name: string, periodMs: number): Promise<void> {
  for (const sentinel of sentinels) {
    await withRespConnection(respTarget(sentinel), connection => connection.send('SENTINEL', 'DEBUG', name, periodMs))
  }
}

async function formGroup(sentinels: readonly RedisServer[], replicas: number): Promise<void> {
  await setPeriod(sentinels, 'tilt-period', TILT_PERIOD_MS)
  await setPeriod(sentinels, 'publish-period', FORMING_PUBLISH_MS)
  await Promise.all(sentinels.map(sentinel => awaitReady(sentinel, replicas)))
  await setPeriod(sentinels, 'publish-period', PUBLISH_PERIOD_MS)
}

interface MasterView {
  port: number
  epoch: number
}

async function askForMaster(sentinel: RedisServer): Promise<MasterView | undefined> {
  try {
    return await withRespConnection(respTarget(sentinel, ASK_TIMEOUT_MS), async connection => {
      const address = await connection.send('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER_NAME)
      const fields = toFields(await connection.send('SENTINEL', 'MASTER', MASTER_NAME))
      if (!Array.isArray(address) || fields === undefined) return undefined
      return { port: Number(address[1]), epoch: Number(fields.get('config-epoch')) }
    })
  } catch {
    return undefined // down, or stopped: the others decide
  }
}

/** The master in the view of the sentinel with the newest configuration. */
async function findMaster(servers: readonly RedisServer[], sentinels: readonly RedisServer[]): Promise<RedisServer> {
  const views = (await Promise.all(sentinels.map(askForMaster))).filter(view => view !== undefined)
  const newest = newestOf(views)
  const server = servers.find(candidate => candidate.port === newest?.port)
  if (server === undefined) throw serverError('no sentinel of the group answers; restart() one of them first')
  return server
}

function launchBase({ binary, tls }: StartSentinelOptions): { binary?: string; tls?: ServerTls } {
  return { ...(binary === undefined ? {} : { binary }), ...(tls === undefined ? {} : { tls }) }
}

async function startData(options: StartSentinelOptions, started: RedisServer[]): Promise<RedisServer[]> {
  const { replicas = 2, args = [] } = options
  const base = launchBase(options)
  const password = args[args.lastIndexOf('--requirepass') + 1]
  // The master needs it as well: one day it will be a replica.
  const masterAuth = args.includes('--requirepass') ? ['--masterauth', password as string] : []
  const master = await startRedis({ ...base, args: [...args, ...masterAuth] })
  started.push(master)
  const copies = Array.from({ length: replicas }, () =>
    startRedis({ ...base, args: [...args, ...masterAuth], replicaOf: master }),
  )
  started.push(...(await startAll(copies)))
  return started
}

/**
 * Starts a master, its replicas and three sentinels with a quorum of two, all real processes, and resolves once every
 * sentinel sees the whole group, so that a failover is possible at once.
 *
 * @throws `ERR_REDIS_OPTIONS` naming the field; `ERR_REDIS_SERVER` as `startRedis`, or when the group does not form within 30 s
 */
export async function startSentinel(options: StartSentinelOptions = {}): Promise<RedisGroup> {
  const { replicas = 2, downAfterMs = 1_000 } = options
  checkNumber('replicas', replicas, { min: 0, max: 10 })
  checkNumber('downAfterMs', downAfterMs, { min: 100, max: 60_000 })
  checkTls(options.tls)
  const all: RedisServer[] = []
  try {
    const servers = [...(await startData(options, all))]
    const [master, ...copies] = servers as [RedisServer, ...RedisServer[]]
    const base = launchBase(options)
    const starts = Array.from({ length: SENTINELS }, () =>
      launchServer({ ...base, sentinel: true, lines: sentinelLines({ master, replicas: copies, downAfterMs }) }),
    )
    const sentinels = await startAll(starts)
    all.unshift(...sentinels) // disposed of first, so that nobody starts a failover of a group that is leaving
    await formGroup(sentinels, replicas)
    const secret = new URL(master.url).password
    const credentials = secret === '' ? '' : `:${secret}@`
    return {
      url: `${options.tls === undefined ? 'redis' : 'rediss'}+sentinel://${credentials}${sentinels.map(({ host, port }) => `${host}:${port}`).join(',')}/${MASTER_NAME}`,
      tls: trustOf(options.tls),
      servers,
      sentinels,
      master: () => findMaster(servers, sentinels),
      async [Symbol.asyncDispose]() {
        await disposeAll(sentinels)
        await disposeAll(servers)
      },
    }
  } catch (error) {
    await disposeAll(all)
    throw error
  }
}
