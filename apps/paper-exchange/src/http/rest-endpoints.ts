import type { ExchangeCore } from '../exchange-core.ts'
import type { Endpoint } from './admission.ts'
import { createMarketEndpoints } from './market-endpoints.ts'
import { createOrderEndpoints } from './order-endpoints.ts'
import { createReadEndpoints } from './read-endpoints.ts'
import { listenKeysEnded } from './refusal.ts'

const listenKeys: Endpoint = {
  security: 'none',
  parameters: { listenKey: 'text' },
  weight: () => 1,
  prepare: () => ({ run: () => listenKeysEnded }),
}

/** All REST calls of the first release, by `METHOD path`. */
export function createRestEndpoints(core: ExchangeCore): ReadonlyMap<string, Endpoint> {
  const calls: Record<string, Endpoint> = {
    ...createMarketEndpoints(core),
    ...createOrderEndpoints(core),
    ...createReadEndpoints(core),
  }
  for (const method of ['GET', 'POST', 'PUT', 'DELETE']) calls[`${method} /api/v3/userDataStream`] = listenKeys
  return new Map(Object.entries(calls))
}
