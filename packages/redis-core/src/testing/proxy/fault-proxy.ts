import { connect, createServer, type AddressInfo, type Server } from 'node:net'
import { RedisCoreError } from '../../errors.ts'
import { systemRandom, type Random } from '../../random.ts'
import { scriptCatalog } from '../../script.ts'
import { checkLoopback } from '../option-checks.ts'
import { serverError } from '../server-error.ts'
import { createLink, type Link, type LinkContext } from './link.ts'
import { createProxyLog, type ProxyFault, type ProxyLogLine } from './proxy-log.ts'
import { createRuleSet, type Direction, type Ending, type Match, type Rule, type RuleHandle } from './rule.ts'
import { createScriptNames } from './script-names.ts'

export interface FaultProxyOptions {
  /** In force from the first connection on. */
  rules?: readonly Rule[]
  /** SHA-1 to name of scripts. Texts seen in EVAL whose first line is `-- <name>` are learnt besides. @default scriptCatalog */
  scripts?: () => ReadonlyMap<string, string>
  /** Draws shares, jitter and corrupted bytes. @default systemRandom */
  random?: Random
  /** Hears of every rule that acted, at once. */
  onFault?: (fault: ProxyFault) => void
  /** A loopback address to listen on. @default '127.0.0.1' */
  host?: string
}

/** What the proxy stands in front of: a `RedisServer`, or any address. */
export interface ProxyTarget {
  readonly host: string
  readonly port: number
  readonly url?: string
}

/** A proxy that understands Redis and does harm on demand. */
export interface FaultProxy extends AsyncDisposable {
  readonly host: string
  readonly port: number
  /** As the server's `url`, credentials included, with the proxy's own port. */
  readonly url: string
  /** Clients connected now. */
  readonly connections: number
  /** Puts a rule in force, after the ones there are. @throws `ERR_REDIS_OPTIONS` naming the field */
  add(rule: Rule): RuleHandle
  /**
   * Lets the server execute a request and loses the reply. Without `nth` and `share` in the match it does so once, for the
   * next such reply that no earlier rule takes. @default then 'reset'
   */
  dropReply(options?: { match?: Match; then?: Ending }): RuleHandle
  /** Holds matching requests, and everything behind them, until `release`; without a match everything, both ways. */
  hold(match?: Match): RuleHandle
  /** Ends all holding: what waits goes on in order, and the rules made by `hold` are gone. */
  release(): void
  /** Resets every connection there is. New ones are served. */
  cut(): void
  /** The last 10 000 requests in order of arrival, with what happened to each. */
  log(): ProxyLogLine[]
}

const BOTH_WAYS: ReadonlySet<Direction> = new Set(['request', 'reply'])

function listen(server: Server, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', cause => reject(serverError(`the fault proxy cannot listen on ${host}`, cause)))
    server.listen({ host, port: 0 }, () => resolve((server.address() as AddressInfo).port))
  })
}

function close(server: Server): Promise<void> {
  return new Promise(resolve => void server.close(() => resolve()))
}

function urlOf(target: ProxyTarget, host: string, port: number): string {
  const url = new URL(target.url ?? 'redis://localhost')
  url.hostname = host
  url.port = String(port)
  return url.href
}

function createProxyServer(target: ProxyTarget, context: LinkContext, links: Set<Link>): Server {
  let connections = 0
  return createServer({ allowHalfOpen: true, noDelay: true }, client => {
    const { host, port } = target
    const server = connect({ host, port, allowHalfOpen: true, noDelay: true })
    const link = createLink(context, { id: ++connections, client, server }, () => links.delete(link))
    links.add(link)
  })
}

function createControls(
  context: LinkContext,
  links: ReadonlySet<Link>,
): Omit<FaultProxy, keyof AsyncDisposable | 'host' | 'port' | 'url' | 'connections'> {
  const { rules, log } = context
  const holds = new Set<RuleHandle>()
  return {
    add: rule => rules.add(rule),
    dropReply({ match = {}, then = 'reset' } = {}) {
      const once = match.nth === undefined && match.share === undefined
      return rules.add({ match, action: { kind: 'drop-reply', then } }, { once })
    },
    hold(match) {
      const action = { kind: 'hold' } as const
      const handle =
        match === undefined ? rules.add({ action }, { directions: BOTH_WAYS }) : rules.add({ match, action })
      holds.add(handle)
      return handle
    },
    release() {
      for (const handle of holds) handle.remove()
      holds.clear()
      for (const link of links) link.release()
    },
    cut() {
      for (const link of links) link.cut()
    },
    log: () => log.read(),
  }
}

/**
 * Starts a proxy in front of a server. It frames RESP2 and RESP3 in both directions and knows which reply answers which
 * request, under pipelining, in transactions, and among pushed messages. Its rules then act on whole messages.
 *
 * The client always gets a connection; when the server cannot be reached, it is reset at once. No TLS.
 *
 * @throws `ERR_REDIS_OPTIONS` for a rule that makes no sense, naming the field, or a target with TLS; `ERR_REDIS_SERVER` when it cannot listen
 * @example
 * await using proxy = await startFaultProxy(server)
 * const redis = connectRedis(proxy.url)
 * const lost = proxy.dropReply({ match: { command: 'incr' }, then: 'reset' })
 * await redis.incr('counter').catch(classifyRedisError) // 'unknown', and the counter is 1
 * lost.fired // 1
 */
export async function startFaultProxy(target: ProxyTarget, options: FaultProxyOptions = {}): Promise<FaultProxy> {
  const { random = systemRandom, host = '127.0.0.1', scripts = scriptCatalog } = options
  checkLoopback(host)
  if (target.url?.startsWith('rediss:') === true) {
    throw new RedisCoreError('ERR_REDIS_OPTIONS', 'the fault proxy reads plain text: a target with TLS hides it')
  }
  const rules = createRuleSet(random)
  for (const rule of options.rules ?? []) rules.add(rule)
  const context: LinkContext = {
    rules,
    random,
    log: createProxyLog(options.onFault),
    nameScript: createScriptNames(scripts),
  }
  const links = new Set<Link>()
  const server = createProxyServer(target, context, links)
  const port = await listen(server, host)
  return {
    host,
    port,
    url: urlOf(target, host, port),
    get connections() {
      return links.size
    },
    ...createControls(context, links),
    async [Symbol.asyncDispose]() {
      const closed = close(server)
      for (const link of links) link.cut()
      await closed
    },
  }
}
