import { Cluster, Redis } from 'ioredis'
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5'

import { connectorFor } from '../src/connect.ts'
import type { ConnectOptions, ConnectTarget, RedisClient } from '../src/index.ts'

/** One way to talk to Redis that the peer range allows. */
export interface Variant {
  readonly name: string
  readonly connect: (target: string | ConnectTarget, options?: ConnectOptions) => RedisClient
  /** The application's own client, with the options it likes. */
  readonly own: (options: { port: number } & Record<string, unknown>) => RedisClient
  readonly protocol: 2 | 3
}

type Connect = Variant['connect']

const connect6: Connect = connectorFor({ Redis, Cluster })
// The classes of version 5 are other types to the compiler; what connectRedis uses of them is the same.
export const connect5: Connect = connectorFor({ Redis: Redis5, Cluster: Cluster5 } as unknown as Parameters<
  typeof connectorFor
>[0])

const newer: readonly Variant[] = [
  {
    name: 'ioredis 6, RESP3',
    protocol: 3,
    connect: (target, options) => connect6(target, { protocol: 3, ...options }),
    own: options => new Redis({ protocol: 3, ...options }),
  },
  {
    name: 'ioredis 6, RESP2',
    protocol: 2,
    connect: (target, options) => connect6(target, { protocol: 2, ...options }),
    own: options => new Redis({ protocol: 2, ...options }),
  },
]

/** Under `pnpm test --ioredis 5` the name `ioredis` stands for that version as well: then there is only one way. */
const haveNewer = new Redis({ lazyConnect: true }).options.protocol !== undefined

/** Every ioredis major and RESP version the package supports. */
export const variants: readonly Variant[] = [
  ...(haveNewer ? newer : []),
  {
    name: 'ioredis 5, RESP2',
    protocol: 2,
    connect: connect5,
    own: options => new Redis5(options) as unknown as RedisClient,
  },
]
