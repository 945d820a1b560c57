import type { Keyspace } from '@safety/redis-core'

/** The nine keys of one breaker, all in one Cluster slot, and the channel its messages go to. */
export interface BreakerKeys {
  /** hash: `s` state, `e` epoch, `u` until, `n` opens, `at` last move, `ou` next order end, `born`, `w` windows, `ask`, `ps` and
   * `pf` probes passed and failed, `lf` who failed last, `rate` at the trip, `rid` last reset, `mv` record of the last move */
  readonly stateKey: string
  /** hash: holder -> order */
  readonly ordersKey: string
  /** sorted set: probe token -> lease end. A score, not a TTL: no denial can renew it */
  readonly leasesKey: string
  /** list: 100 records */
  readonly historyKey: string
  /** sorted sets: process -> last heartbeat, counted call, failing report, own part open */
  readonly membersKey: string
  readonly activeKey: string
  readonly failingKey: string
  readonly openedKey: string
  /** hash: process -> run and number of its last batch */
  readonly batchesKey: string
  readonly channel: string
}

/** Encodes the name once. A shadow has its own keys and its own channel: it cannot touch what enforces. */
export function breakerKeys(keyspace: Keyspace, name: string, shadow: boolean): BreakerKeys {
  const family = shadow ? 'cb1-shadow' : 'cb1'
  const key = (part: string): string => keyspace.tagged(name, family, part)
  return {
    stateKey: key('s'),
    ordersKey: key('o'),
    leasesKey: key('p'),
    historyKey: key('h'),
    membersKey: key('m'),
    activeKey: key('v'),
    failingKey: key('f'),
    openedKey: key('l'),
    batchesKey: key('q'),
    channel: keyspace.key(family, 'events'),
  }
}
