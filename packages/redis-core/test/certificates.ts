import { generate } from 'selfsigned'

import type { ServerTls } from '../src/testing/index.ts'

/** A certificate for 127.0.0.1, and the authority that signed it. Made anew each time: no key is ever kept. */
export async function makeServerTls(): Promise<ServerTls> {
  const authority = await generate([{ name: 'commonName', value: 'test authority' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  })
  const server = await generate([{ name: 'commonName', value: 'redis' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    ca: { key: authority.private, cert: authority.cert },
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
  })
  return { certPem: server.cert, keyPem: server.private, caPem: authority.cert }
}
