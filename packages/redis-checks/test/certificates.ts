import type { ServerTls } from '@safety/redis-core/testing'
import { generate } from 'selfsigned'

const DAY_MS = 86_400_000

export interface CertificateOptions {
  /** The address it is for. @default '127.0.0.1' */
  readonly ip?: string
  /** It ended yesterday. */
  readonly expired?: boolean
}

/** A certificate, and the authority that signed it. Made anew each time: no key is ever kept. */
export async function makeServerTls({
  ip = '127.0.0.1',
  expired = false,
}: CertificateOptions = {}): Promise<ServerTls> {
  const authority = await generate([{ name: 'commonName', value: 'test authority' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notBeforeDate: new Date(Date.now() - 10 * DAY_MS),
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  })
  const server = await generate([{ name: 'commonName', value: 'redis' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notBeforeDate: new Date(Date.now() - 5 * DAY_MS),
    ...(expired ? { notAfterDate: new Date(Date.now() - DAY_MS) } : {}),
    ca: { key: authority.private, cert: authority.cert },
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip }] }],
  })
  return { certPem: server.cert, keyPem: server.private, caPem: authority.cert }
}
