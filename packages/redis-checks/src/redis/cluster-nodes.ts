import type { ClusterMember } from '../node-facts.ts'

/** CLUSTER NODES, without members that have no address yet. */
export function parseClusterNodes(text: string): ClusterMember[] {
  return text
    .split(/\r?\n/)
    .filter(line => line.trim() !== '')
    .flatMap(line => {
      const [nodeId = '', address = '', flagText = '', masterId = '-', , , , , ...slots] = line.split(' ')
      const flags = flagText.split(',')
      const [, host, port] = /^(.*):(\d+)(?:@\d+)?(?:,.*)?$/.exec(address) ?? []
      if (
        port === undefined ||
        host === undefined ||
        host === '' ||
        flags.includes('noaddr') ||
        flags.includes('handshake')
      )
        return []
      return [
        {
          nodeId,
          host,
          port: Number(port),
          role: flags.includes('master') ? ('master' as const) : ('replica' as const),
          masterId: masterId === '-' ? null : masterId,
          flags,
          slots: slots.flatMap(toRange),
        },
      ]
    })
}

function toRange(text: string): (readonly [number, number])[] {
  const [, from, to] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? []
  return from === undefined ? [] : [[Number(from), Number(to ?? from)] as const]
}
