import { Redis } from 'ioredis'

/** Not under `pnpm test --ioredis 5`: there `ioredis` is version 5 too, which has no such protocol. */
export const speaksResp3: boolean = new Redis({ lazyConnect: true }).options.protocol !== undefined
