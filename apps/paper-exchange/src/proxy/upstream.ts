import { request as httpRequest } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { PaperExchangeError } from '../errors.ts'

const TEST_NETWORKS = ['testnet.binance.vision', 'demo-api.binance.com']
const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]']
/** Headers that belong to one connection and not to the message. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'content-length',
])
const PATIENCE_MS = 60_000
const ANSWER_LIMIT_BYTES = 32 * 1024 * 1024

/** A request as it came and goes. */
export interface ForwardedRequest {
  method: string
  /** Path and query, exactly as sent. */
  target: string
  rawHeaders: readonly string[]
  body: Buffer
}

/** The whole answer of the upstream. */
export interface UpstreamAnswer {
  status: number
  headers: Record<string, string | string[]>
  body: Buffer
}

/** The only place a proxy may send orders to. */
export interface Upstream {
  readonly origin: string
  forward(request: ForwardedRequest): Promise<UpstreamAnswer>
}

/**
 * Accepts test networks and loopback.
 *
 * @throws {PaperExchangeError} `ERR_PAPER_OPTIONS` for any other address: real money is never behind this proxy.
 */
export function createUpstream(address: string): Upstream {
  const url = URL.canParse(address) ? new URL(address) : undefined
  const isTestNetwork = url?.protocol === 'https:' && url.port === '' && TEST_NETWORKS.includes(url.hostname)
  const isLoopback = url !== undefined && /^https?:$/.test(url.protocol) && LOOPBACK.includes(url.hostname)
  if (url === undefined || !(isTestNetwork || isLoopback) || url.username !== '' || url.pathname !== '/') {
    throw new PaperExchangeError(
      'ERR_PAPER_OPTIONS',
      `--upstream: "${url?.host ?? address}" is not allowed; use https://${TEST_NETWORKS.join(', https://')} or a loopback address`,
    )
  }
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest

  return {
    origin: url.origin,
    forward: ({ method, target, rawHeaders, body }) =>
      new Promise((resolve, reject) => {
        const headers = forwardedHeaders(rawHeaders, url.host)
        if (body.length > 0) headers.push('content-length', String(body.length))
        const outgoing = send(
          { hostname: url.hostname.replace(/^\[|\]$/g, ''), port: url.port, method, path: target, headers },
          incoming => {
            const chunks: Buffer[] = []
            let size = 0
            incoming.on('data', (chunk: Buffer) => {
              size += chunk.length
              chunks.push(chunk)
              if (size > ANSWER_LIMIT_BYTES) incoming.destroy(new Error('the answer of the upstream is too large'))
            })
            incoming.on('error', reject)
            incoming.on('end', () =>
              resolve({
                status: incoming.statusCode ?? 502,
                headers: answerHeaders(incoming.headers),
                body: Buffer.concat(chunks),
              }),
            )
          },
        )
        outgoing.setTimeout(PATIENCE_MS, () => outgoing.destroy(new Error('the upstream does not answer')))
        outgoing.on('error', reject)
        outgoing.end(body)
      }),
  }
}

/** All headers in their order, with the upstream's host, and an answer asked for that can be read. */
function forwardedHeaders(rawHeaders: readonly string[], host: string): string[] {
  const headers: string[] = ['host', host, 'accept-encoding', 'identity']
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    const lower = name.toLowerCase()
    if (HOP_BY_HOP.has(lower) || lower === 'host' || lower === 'accept-encoding') continue
    headers.push(name, rawHeaders[index + 1] ?? '')
  }
  return headers
}

function answerHeaders(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  const kept: Record<string, string | string[]> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !HOP_BY_HOP.has(name)) kept[name] = value
  }
  return kept
}
