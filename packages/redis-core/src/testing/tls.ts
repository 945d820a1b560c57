import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { RedisCoreError } from '../errors.ts'

/** What a server needs to speak TLS, as PEM text. Make them in the test: a key that is committed is no secret. */
export interface ServerTls {
  /** Its certificate. Clients look for `127.0.0.1` in its alternative names. */
  certPem: string
  /** The private key of the certificate, without a passphrase. */
  keyPem: string
  /** The authority that signed it; the certificate itself when it is self-signed. */
  caPem: string
}

/** For the `tls` of a `ConnectTarget`: what to trust. `false` for a server without TLS. */
export type Trust = false | { readonly ca: string }

const FILES = { certPem: 'tls-cert.pem', keyPem: 'tls-key.pem', caPem: 'tls-ca.pem' } as const

/** What a restart that drops the data leaves in place. */
export const TLS_FILES: readonly string[] = Object.values(FILES)

/** @throws `ERR_REDIS_OPTIONS` naming the field; the message never repeats it */
export function checkTls(tls: ServerTls | undefined): void {
  if (tls === undefined) return
  for (const field of Object.keys(FILES) as (keyof ServerTls)[]) {
    if (typeof tls[field] === 'string' && tls[field].includes('-----BEGIN ')) continue
    throw new RedisCoreError('ERR_REDIS_OPTIONS', `tls.${field} must be PEM text`)
  }
}

export function trustOf(tls: ServerTls | undefined): Trust {
  return tls === undefined ? false : { ca: tls.caPem }
}

export async function writeTlsFiles(directory: string, tls: ServerTls): Promise<void> {
  for (const field of Object.keys(FILES) as (keyof ServerTls)[]) {
    const path = join(directory, FILES[field])
    await writeFile(path, tls[field], { mode: 0o600 })
    await chmod(path, 0o600) // the mode above counts only for a file that was not there
  }
}

/** TLS alone: nothing listens in plain text, and replication, sentinels and the cluster bus use it too. */
export function tlsLines(directory: string, port: number, withBus: boolean): string[] {
  return [
    'port 0',
    `tls-port ${port}`,
    `tls-cert-file "${join(directory, FILES.certPem)}"`,
    `tls-key-file "${join(directory, FILES.keyPem)}"`,
    `tls-ca-cert-file "${join(directory, FILES.caPem)}"`,
    'tls-auth-clients no',
    'tls-replication yes',
    ...(withBus ? ['tls-cluster yes'] : []),
  ]
}
