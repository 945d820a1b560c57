import type { Clock, RedisClient } from '@safety/redis-core'
import type { TraderConfig } from '../config.ts'
import type { BookKeys } from '../redis/keys.ts'
import { detailOf, reasonOf, type Report } from '../report.ts'
import { createExchangeApi, type ExchangeApi } from './api.ts'
import type { Guard } from '../safety.ts'
import { createClockSync, type ClockSync } from './clock-sync.ts'
import { createGate, type Gate } from './gate.ts'
import { createRestClient } from './rest-client.ts'

/** A config whose exchange is known. */
export interface ExchangeAddress {
  readonly restUrl: string
  readonly wsApiUrl: string
  readonly streamsUrl: string
  readonly apiKey: string
  readonly apiSecret: string
}

/** The REST side of the exchange: calls, clock and gate, which need one another. */
export interface ExchangeLink {
  readonly api: ExchangeApi
  readonly clockSync: ClockSync
  readonly gate: Gate
}

export interface LinkOptions {
  readonly redis: RedisClient
  readonly keys: BookKeys
  readonly address: ExchangeAddress
  readonly config: TraderConfig
  /** Stands in front of every query. */
  readonly reads: Guard
  readonly clock: Clock
  readonly report: Report
}

export function connectExchange(options: LinkOptions): ExchangeLink {
  const { redis, keys, address, config, reads, clock, report } = options
  const gate = createGate({ redis, keys, clock })
  const { requestTimeoutMs, recvWindowMs, permitMs } = config
  const rest = createRestClient({
    restUrl: address.restUrl.replace(/\/$/, ''),
    apiKey: address.apiKey,
    secret: address.apiSecret,
    requestTimeoutMs,
    clock,
  })
  const clockSync = createClockSync(() => api.serverTime(), clock)
  // One notice per wait is enough, however many calls it meets.
  let toldUntilMs = Number.NEGATIVE_INFINITY
  const api = createExchangeApi({
    rest,
    clockSync: () => clockSync,
    gate,
    reads,
    clock,
    recvWindowMs,
    permitMs,
    onAlert(outcome, path) {
      const alert =
        outcome.class === 'BANNED' ? 'Banned' : outcome.class === 'CONFIGURATION' ? 'Configuration' : 'Unreadable'
      report({ type: 'alert', alert, detail: `${path} ended in ${outcome.reason}` })
    },
    onLongWait(waitMs) {
      if (clock.monotonic() < toldUntilMs) return
      toldUntilMs = clock.monotonic() + waitMs
      report({ type: 'notice', notice: 'gate-closed', detail: `calls wait up to ${Math.ceil(waitMs)} ms` })
    },
    onError: error => report({ type: 'error', reason: reasonOf(error), detail: detailOf(error) }),
  })
  return { api, clockSync, gate }
}
