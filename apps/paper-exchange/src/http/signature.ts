import { createHmac, timingSafeEqual } from 'node:crypto'

/** What a request was signed over, and the signature it brought. */
export interface SignedText {
  text: Buffer
  signature: string | undefined
}

/**
 * The signed text of a REST request: the raw query directly followed by the raw body as sent, without the `signature`
 * pair. Nothing is decoded, so encoding happens before signing.
 */
export function restSignedText(rawQuery: string, rawBody: Buffer): SignedText {
  const query = cut(rawQuery)
  // latin1 keeps every byte as it came; the query arrives that way from Node's parser.
  const body = cut(rawBody.toString('latin1'))
  return {
    text: Buffer.from(query.text + body.text, 'latin1'),
    signature: query.signature ?? body.signature,
  }
}

/** The signed text of a WebSocket API request: all parameters but `signature`, sorted by name, UTF-8, not encoded. */
export function socketSignedText(params: Readonly<Record<string, unknown>>): SignedText {
  const names = Object.keys(params)
    .filter(name => name !== 'signature')
    .sort()
  const text = names.map(name => `${name}=${plain(params[name])}`).join('&')
  return { text: Buffer.from(text, 'utf8'), signature: plain(params['signature'] ?? '') || undefined }
}

/** True when `signature` is the HMAC-SHA256 of `text` in hex, in either case. Takes equal time for equal lengths. */
export function verifySignature(secret: string, { text, signature }: SignedText): boolean {
  if (signature === undefined || !/^[0-9a-fA-F]{64}$/.test(signature)) return false
  return timingSafeEqual(Buffer.from(signature, 'hex'), createHmac('sha256', secret).update(text).digest())
}

function cut(raw: string): { text: string; signature: string | undefined } {
  let signature: string | undefined
  const kept = raw.split('&').filter(pair => {
    if (!pair.startsWith('signature=')) return true
    signature ??= pair.slice('signature='.length)
    return false
  })
  return { text: kept.join('&'), signature }
}

/** A parameter as it stands in the signed text: text as it is, anything else as JSON writes it. */
function plain(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}
