import type { ChildProcess } from 'node:child_process'
import type { Redis } from 'ioredis'
import { connectRedis } from '../connect.ts'
import { RedisCoreError } from '../errors.ts'
import type { ConnectOptions } from '../options.ts'
import type { ConnectTarget } from '../target.ts'
import { isRunning, waitForExit } from './child-guard.ts'
import { findFreePort } from './free-port.ts'
import { checkLoopback } from './option-checks.ts'
import { resolveRedisServer, type RedisBinary } from './redis-binary.ts'
import { dropData, keepsAof, majorOf, writeConfig, type AofMode } from './redis-config.ts'
import { PortTakenError, readLog, startProcess } from './redis-process.ts'
import { poll } from './poll.ts'
import { withRespConnection, type RespTarget } from './resp/connection.ts'
import { textOf } from './resp/value.ts'
import { serverError } from './server-error.ts'
import { makeFolder, removeFolder } from './temporary-folder.ts'
import { checkTls, trustOf, writeTlsFiles, type ServerTls, type Trust } from './tls.ts'

/** A Redis or Valkey server of this test's own. It dies with the test runner. */
export interface RedisServer extends AsyncDisposable {
  readonly host: string
  readonly port: number
  /** `redis://127.0.0.1:port`, or `rediss` with TLS; with the password of `--requirepass` if there is one. */
  readonly url: string
  /** What a client must trust, for the `tls` of a `ConnectTarget`; `false` without TLS. A URL cannot say it. */
  readonly tls: Trust
  /** The running process, or the last one while the server is down. */
  readonly pid: number
  /** Of the binary, for example `7.0.15`. */
  readonly version: string
  /** Its own temporary folder, the working directory of the server; removed on dispose. */
  readonly directory: string
  /** Everything it has printed, restarts included. */
  log(): string
  /** A new client made by `connectRedis`, which trusts `tls`; disconnected when the server is disposed of. */
  client(options?: ConnectOptions): Redis
  /** Orderly end. The data is on disk afterwards, with or without AOF. After 10 s it is killed. */
  stop(): Promise<void>
  /** SIGKILL. On disk is what the AOF holds; without AOF, what the last `stop` wrote. */
  kill(): Promise<void>
  /** SIGSTOP: connections stay open and nothing answers. */
  pause(): void
  /** SIGCONT. */
  resume(): void
  /**
   * Starts it again on the same port, stopping (`keep`) or killing (`drop`) it first if it runs. `keep`, the default, loads
   * what is on disk; `drop` empties the disk first, but for the configuration and the identity in a cluster.
   *
   * @throws `ERR_REDIS_SERVER` when the port was taken meanwhile
   */
  restart(options?: { data?: 'keep' | 'drop' }): Promise<void>
}

export interface StartRedisOptions {
  /** As for `resolveRedisServer`. */
  binary?: string
  /** @default 'no', and no snapshots either */
  aof?: AofMode
  /** Starts as its replica; resolves once the first copy has arrived. */
  replicaOf?: RedisServer
  /**
   * Listens with TLS alone, and replicates with it: no plain text on any port. Its replicas need `tls` too. Client
   * certificates are not asked for; the files are in its folder. Needs a server that was built with TLS.
   */
  tls?: ServerTls
  /** More arguments for the server, for example `['--maxmemory', '10mb']`. They win over the configuration. */
  args?: string[]
  /** A loopback address to listen on. @default '127.0.0.1' */
  host?: string
  /** Environment of the process, besides PATH, LC_ALL and TZ. */
  env?: Record<string, string>
}

/** What the group starters need on top of the public options. */
export interface LaunchOptions extends StartRedisOptions {
  /** Lines for the configuration file, after the common ones. */
  lines?: readonly string[]
  /** Run as a sentinel, which stores no data and takes none of the settings for it. */
  sentinel?: boolean
  /** Keep the cluster bus port free too. */
  withBus?: boolean
}

const STOP_TIMEOUT_MS = 10_000
const START_TIMEOUT_MS = 30_000
const LINK_TIMEOUT_MS = 30_000
const PORT_ATTEMPTS = 5

function passwordOf(args: readonly string[]): string | undefined {
  const index = args.lastIndexOf('--requirepass')
  return index < 0 ? undefined : args[index + 1]
}

/** The server's current process and everything that is the same in each of its lives. */
interface Life {
  child: ChildProcess
  start(): Promise<ChildProcess>
}

interface Identity {
  binary: RedisBinary
  directory: string
  host: string
  port: number
  password: string | undefined
  aof: AofMode
  tls: ServerTls | undefined
}

interface ServerAddress {
  host: string
  port: number
  url?: string
  tls?: Trust
}

/** Where a set-up connection to a server goes, its password included. */
export function respTarget({ host, port, url, tls = false }: ServerAddress, timeoutMs?: number): RespTarget {
  const password = url === undefined ? '' : decodeURIComponent(new URL(url).password)
  return {
    host,
    port,
    password: password === '' ? undefined : password,
    tls: tls !== false,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  }
}

async function stopProcess(identity: Identity, child: ChildProcess): Promise<void> {
  if (!isRunning(child)) return
  child.kill('SIGCONT')
  if (majorOf(identity.binary.version) < 7 && !keepsAof(identity.aof)) await shutdownWithSave(identity)
  child.kill('SIGTERM')
  if (await waitForExit(child, STOP_TIMEOUT_MS)) return
  await killProcess(child)
}

async function shutdownWithSave(identity: Identity): Promise<void> {
  try {
    const target = { ...identity, tls: identity.tls !== undefined }
    await withRespConnection(target, connection => connection.send('SHUTDOWN', 'SAVE'))
  } catch {
    // The server answers SHUTDOWN by closing the connection; if it refused instead, SIGTERM follows.
  }
}

async function killProcess(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL')
  if (await waitForExit(child, STOP_TIMEOUT_MS)) return
  throw serverError(`process ${child.pid} survived SIGKILL for ${STOP_TIMEOUT_MS} ms`)
}

function createServer(identity: Identity, life: Life): RedisServer {
  const clients = new Set<Redis>()
  const { directory, host, port, password } = identity
  const tls = trustOf(identity.tls)
  const secret = password === undefined ? '' : `:${encodeURIComponent(password)}@`
  const url = `${tls === false ? 'redis' : 'rediss'}://${secret}${host}:${port}`
  const access = password === undefined || password === '' ? {} : { password }
  const target: ConnectTarget = { kind: 'standalone', host, port, tls, ...access }
  const signal = (name: 'SIGSTOP' | 'SIGCONT'): void => {
    if (!life.child.kill(name)) throw serverError(`the server on ${host}:${port} is not running; restart() it first`)
  }
  return {
    host,
    port,
    url,
    tls,
    directory,
    version: identity.binary.version,
    get pid() {
      return life.child.pid as number
    },
    log: () => readLog(directory),
    client(options) {
      const client = connectRedis(target, options) as Redis
      clients.add(client)
      client.once('end', () => clients.delete(client))
      return client
    },
    stop: () => stopProcess(identity, life.child),
    kill: () => killProcess(life.child),
    pause: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
    async restart({ data = 'keep' } = {}) {
      if (data === 'keep') await stopProcess(identity, life.child)
      else await killProcess(life.child)
      if (data === 'drop') await dropData(directory)
      try {
        life.child = await life.start()
      } catch (error) {
        if (!(error instanceof PortTakenError)) throw error
        throw serverError(
          `another process took port ${port} while the server was down; start a new server instead`,
          error,
        )
      }
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.disconnect()
      await killProcess(life.child)
      await removeFolder(directory)
    },
  }
}

/** Waits until a replica has its first copy. */
function awaitLink(server: RedisServer): Promise<unknown> {
  return withRespConnection(respTarget(server), connection =>
    poll(
      async () => textOf(await connection.send('INFO', 'replication')).includes('master_link_status:up') || undefined,
      {
        timeoutMs: LINK_TIMEOUT_MS,
        otherwise: () =>
          serverError(`the replica on port ${server.port} did not reach its master within ${LINK_TIMEOUT_MS} ms`),
      },
    ),
  )
}

async function tryLaunch(binary: RedisBinary, options: LaunchOptions): Promise<RedisServer> {
  const { host = '127.0.0.1', aof = 'no', lines = [], env = {}, withBus = false, sentinel = false, tls } = options
  const args = sentinel ? ['--sentinel', ...(options.args ?? [])] : (options.args ?? [])
  const port = await findFreePort(host, { withBus })
  const directory = await makeFolder()
  const password = passwordOf(args)
  const identity: Identity = { binary, directory, host, port, password, aof, tls }
  const secure = tls !== undefined
  const address = { host, port, password, tls: secure }
  const spec = { path: binary.path, directory, ...address, args, env, startTimeoutMs: START_TIMEOUT_MS }
  try {
    if (secure) await writeTlsFiles(directory, tls)
    await writeConfig(directory, { host, port, version: binary.version, aof, sentinel, lines, tls: secure, withBus })
    const start = (): Promise<ChildProcess> => startProcess(spec)
    return createServer(identity, { child: await start(), start })
  } catch (error) {
    await removeFolder(directory)
    throw error
  }
}

/** Launches a server on a port of its own, drawing another one when somebody was faster. */
export async function launchServer(options: LaunchOptions): Promise<RedisServer> {
  const binary = await resolveRedisServer(options.binary === undefined ? {} : { binary: options.binary })
  for (let attempt = 1; ; attempt++) {
    try {
      return await tryLaunch(binary, options)
    } catch (error) {
      if (!(error instanceof PortTakenError)) throw error
      if (attempt === PORT_ATTEMPTS)
        throw serverError(`each of ${PORT_ATTEMPTS} ports was taken before the server bound it`, error)
    }
  }
}

/** The configuration lines that make a server a replica of another. */
function replicaLines(master: RedisServer, tls: ServerTls | undefined): string[] {
  if (master.tls !== false && tls === undefined) {
    throw new RedisCoreError('ERR_REDIS_OPTIONS', 'tls is needed: the master of replicaOf speaks TLS alone')
  }
  const password = new URL(master.url).password
  const auth = password === '' ? [] : [`masterauth "${decodeURIComponent(password)}"`]
  const link = tls !== undefined && master.tls === false ? ['tls-replication no'] : []
  return [`replicaof ${master.host} ${master.port}`, ...auth, ...link]
}

/**
 * Starts a real server on a free loopback port with its own temporary folder and no persistence unless `aof` says so. It
 * resolves once the server answers and INFO proves that it is our child. It dies with this process: at its exit everywhere,
 * and even at its SIGKILL on Linux with `setpriv`.
 *
 * @throws `ERR_REDIS_OPTIONS` for a host that is not loopback, or `tls` that is no PEM or missing; `ERR_REDIS_SERVER` when there is no binary (the message says what to install) or it does not start (with its log)
 * @example
 * await using server = await startRedis({ aof: 'always' })
 * const redis = server.client()
 * await redis.set('key', 'value')
 * await server.kill()
 * await server.restart()
 */
export async function startRedis(options: StartRedisOptions = {}): Promise<RedisServer> {
  const { replicaOf, ...rest } = options
  if (rest.host !== undefined) checkLoopback(rest.host)
  checkTls(rest.tls)
  if (replicaOf === undefined) return launchServer(rest)
  const replica = await launchServer({ ...rest, lines: replicaLines(replicaOf, rest.tls) })
  try {
    await awaitLink(replica)
    return replica
  } catch (error) {
    await replica[Symbol.asyncDispose]()
    throw error
  }
}
