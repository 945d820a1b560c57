import { createHmac } from 'node:crypto'

/** What a client signs with. */
export interface Credentials {
  name: string
  apiKey: string
  secret: string
}

/** Keys of all accounts. */
export interface KeyRing {
  /** Issues the keys of an account; the same seed and name always give the same. */
  issue(name: string): Credentials
  find(apiKey: string): Credentials | undefined
  of(name: string): Credentials | undefined
}

const LENGTH = 64
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/** Creates an empty key ring. Keys begin with `PAPER`, so that nobody takes one for a real key. */
export function createKeyRing(seed: string): KeyRing {
  const byKey = new Map<string, Credentials>()
  const byName = new Map<string, Credentials>()
  return {
    issue: name => {
      const credentials = {
        name,
        apiKey: `PAPER${derive(seed, `key|${name}`)}`.slice(0, LENGTH),
        secret: derive(seed, `secret|${name}`),
      }
      byKey.set(credentials.apiKey, credentials)
      byName.set(name, credentials)
      return credentials
    },
    find: apiKey => byKey.get(apiKey),
    of: name => byName.get(name),
  }
}

/** True for text that could be an API key at all. */
export function looksLikeKey(text: string): boolean {
  return /^[A-Za-z0-9]{64}$/.test(text)
}

function derive(seed: string, what: string): string {
  const bytes = createHmac('sha512', `paper-exchange|${seed}`).update(what).digest()
  return Array.from(bytes, byte => ALPHABET[byte % ALPHABET.length]).join('')
}
