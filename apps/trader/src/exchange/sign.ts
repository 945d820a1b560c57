import { createHmac } from 'node:crypto'

/** Request parameters in the order they are sent; `undefined` members are left out. */
export type Params = Readonly<Record<string, string | number | undefined>>

function entries(params: Params): [string, string][] {
  return Object.entries(params).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]))
}

/** Percent-encodes the parameters as `name=value&…`, keeping their order. Encoding comes before signing. */
export function encodeParams(params: Params): string {
  return entries(params)
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .join('&')
}

/** HMAC-SHA256 of `payload` in lower-case hex, as the exchange's "SIGNED endpoint security" asks for. */
export function signHmac(secret: string, payload: string): string {
  return createHmac('sha256', secret).update(payload, 'utf8').digest('hex')
}

/** The whole query of a signed REST call: the encoded parameters and their signature. */
export function signedQuery(params: Params, secret: string): string {
  const query = encodeParams(params)
  return `${query}&signature=${signHmac(secret, query)}`
}

/** Parameters of a signed WebSocket API request: signed sorted by name, as plain UTF-8, not percent-encoded. */
export function signSocketParams(params: Params, secret: string): Record<string, string | number> {
  const kept = Object.entries(params).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]))
  const payload = kept
    .toSorted(([a], [b]) => (a < b ? -1 : Number(a > b)))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
  return { ...Object.fromEntries(kept), signature: signHmac(secret, payload) }
}
