import { createSeededRandom, wholeBetween } from './seeded-random.ts'

/** One intent both sides are expected to place, known before the storm because ids are computed from the bar alone. */
export interface ExpectedIntent {
  readonly id: string
  readonly symbol: string
  /** Position of its bar in the trading time, from 0. */
  readonly bar: number
}

/** A fault as `POST /_paper/faults` takes it. */
export interface FaultRule {
  readonly id: string
  readonly match: {
    readonly account?: string
    readonly method?: string
    readonly path?: string
    readonly clientOrderId?: string
    readonly channel?: string
    readonly event?: string
    readonly attempt?: number
    readonly share?: number
  }
  readonly phase: 'before' | 'after' | 'stream' | 'event'
  readonly action: { readonly type: string } & Readonly<Record<string, string | number>>
  readonly times?: number
}

/** A worker of each side is killed at the first request it sends for one of `targets`. */
export interface PlannedKill {
  readonly bar: number
  readonly targets: readonly string[]
}

export interface StormPlan {
  /** In force from the first bar on; the first rule that matches a request acts. */
  readonly standing: readonly FaultRule[]
  /** Acts on the user streams at once, so it is posted when its time has come. */
  readonly timed: readonly { readonly atMs: number; readonly rule: FaultRule }[]
  readonly kills: readonly PlannedKill[]
  /** Milliseconds after the first bar opened. */
  readonly redisOutage: { readonly atMs: number; readonly forMs: number }
}

/** How long a killed worker stays away, in milliseconds. */
export const WORKER_AWAY_MS = 1000
/** How long the killed Redis stays away, in milliseconds. */
export const REDIS_AWAY_MS = 1500

const ORDER = { method: 'POST', path: '/api/v3/order' } as const
// Longer than the request timeout of both sides, so that the client always gives up first.
const HANG_MS = 900

interface Share {
  readonly id: string
  readonly share: number
  readonly phase: 'before' | 'after'
  readonly action: FaultRule['action']
}

function unknownStatus(): FaultRule['action'] {
  return {
    type: 'status',
    status: 503,
    code: -1007,
    msg: 'Timeout waiting for response from backend server. Send status unknown; execution status unknown.',
  }
}

/** Shares of first attempts; after = the order was accepted, before = it was not, or not yet. */
const REQUEST_SHARES: readonly Share[] = [
  { id: 'after-reset', share: 0.06, phase: 'after', action: { type: 'reset' } },
  { id: 'after-hang', share: 0.04, phase: 'after', action: { type: 'hang', ms: HANG_MS } },
  { id: 'after-503', share: 0.04, phase: 'after', action: unknownStatus() },
  { id: 'after-truncate', share: 0.03, phase: 'after', action: { type: 'truncate', bytes: 40 } },
  { id: 'after-hide', share: 0.1, phase: 'after', action: { type: 'hide', ms: 1200 } },
  { id: 'before-hang', share: 0.03, phase: 'before', action: { type: 'hang', ms: HANG_MS } },
  { id: 'before-503', share: 0.03, phase: 'before', action: unknownStatus() },
  { id: 'before-delay-1s', share: 0.03, phase: 'before', action: { type: 'delay', ms: 1000 } },
  { id: 'before-delay-2.5s', share: 0.02, phase: 'before', action: { type: 'delay', ms: 2500 } },
]

const EVENT_SHARES: readonly { readonly id: string; readonly share: number; readonly action: FaultRule['action'] }[] = [
  { id: 'event-repeat', share: 0.1, action: { type: 'repeat' } },
  { id: 'event-reorder', share: 0.05, action: { type: 'reorder' } },
  { id: 'event-lag', share: 0.1, action: { type: 'lag', ms: 700 } },
]

/**
 * The shares to declare so that each rule *acts* on its share of all: a rule is asked only where no earlier one acted.
 * Their sum has to stay below 1.
 */
export function sharesInOrder(shares: readonly number[]): number[] {
  let left = 1
  return shares.map(share => {
    const declared = share / left
    left -= share
    return Math.round(declared * 1e6) / 1e6
  })
}

function requestRules(): FaultRule[] {
  const declared = sharesInOrder(REQUEST_SHARES.map(({ share }) => share))
  return REQUEST_SHARES.map(({ id, phase, action }, at) => ({
    id,
    match: { ...ORDER, attempt: 1, share: declared[at]! },
    phase,
    action,
  }))
}

function eventRules(): FaultRule[] {
  const declared = sharesInOrder(EVENT_SHARES.map(({ share }) => share))
  return EVENT_SHARES.map(({ id, action }, at) => ({
    id,
    match: { channel: 'user-stream', event: 'executionReport', share: declared[at]! },
    phase: 'event',
    action,
  }))
}

function targeted(
  id: string,
  clientOrderId: string,
  phase: 'before' | 'after',
  action: FaultRule['action'],
): FaultRule {
  return { id, match: { ...ORDER, clientOrderId, attempt: 1 }, phase, action }
}

/** Where in the trading time something happens: a seeded place between two fractions, as a bar. */
function placeBetween(random: ReturnType<typeof createSeededRandom>, bars: number, from: number, to: number): number {
  return wholeBetween(random, Math.floor(bars * from), Math.max(Math.floor(bars * from), Math.floor(bars * to) - 1))
}

function idsOfBar(intents: readonly ExpectedIntent[], bar: number, symbols?: readonly string[]): string[] {
  return intents
    .filter(intent => intent.bar === bar && (symbols === undefined || symbols.includes(intent.symbol)))
    .map(intent => intent.id)
}

// The first killed request was accepted and its answer never comes; the second enters the engine after its sender has
// died.
const KILL_FAULTS = [
  { phase: 'after', action: { type: 'hang', ms: HANG_MS } },
  { phase: 'before', action: { type: 'delay', ms: 1000 } },
] as const

function killRules(kills: readonly PlannedKill[]): FaultRule[] {
  return kills.flatMap(({ targets }, at) =>
    targets.map((id, n) => targeted(`kill-${at + 1}-${n + 1}`, id, KILL_FAULTS[at]!.phase, KILL_FAULTS[at]!.action)),
  )
}

export interface StormInput {
  readonly seed: number
  /** All intents of the trading time, any order. */
  readonly intents: readonly ExpectedIntent[]
  /** Length of the trading time in bars, 16 or more. */
  readonly bars: number
  readonly barMs: number
  readonly accounts: readonly string[]
  /** Symbols of the two workers of the side that splits them: the first kill is for the first, the second for the other. */
  readonly split: readonly [readonly string[], readonly string[]]
}

/**
 * Plans the storm of one demo run: which faults are in force, which intents close the rate gate, when workers and Redis
 * are killed. Equal inputs give equal plans; nothing in it names a side except the rules for user streams, which are per
 * account because a stream belongs to one.
 */
export function planStorm({ seed, intents, bars, barMs, accounts, split }: StormInput): StormPlan {
  const random = createSeededRandom(seed, 'storm')
  // Far enough apart that even in the shortest run no order waits at a closed gate, or for Redis, when it is its turn to
  // be killed.
  const killBars = [placeBetween(random, bars, 0.1, 0.16), placeBetween(random, bars, 0.5, 0.56)] as const
  const limitBars = [placeBetween(random, bars, 0.18, 0.26), placeBetween(random, bars, 0.82, 0.9)] as const
  const redisBar = placeBetween(random, bars, 0.6, 0.66)
  const dropBar = placeBetween(random, bars, 0.3, 0.4)
  const silenceBar = placeBetween(random, bars, 0.7, 0.8)

  const kills = [
    { bar: killBars[0], targets: idsOfBar(intents, killBars[0], split[0]) },
    { bar: killBars[1], targets: idsOfBar(intents, killBars[1]) },
  ]
  // A limit is met by the worker that was not killed just before.
  const limitRules = limitBars.flatMap((bar, at) => {
    const ids = idsOfBar(intents, bar, split[1 - at])
    const id = ids[wholeBetween(random, 0, ids.length - 1)]
    return id === undefined ? [] : [targeted(`limit-${at + 1}`, id, 'before', { type: 'limit', retryAfterS: 2 })]
  })
  const timed = accounts.flatMap(account => [
    { atMs: dropBar * barMs, rule: streamRule(`drop-${account}`, account, { type: 'drop' }) },
    { atMs: silenceBar * barMs, rule: streamRule(`silence-${account}`, account, { type: 'silence', ms: 3000 }) },
  ])
  return {
    standing: [...killRules(kills), ...limitRules, ...requestRules(), ...eventRules()],
    timed: timed.sort((a, b) => a.atMs - b.atMs),
    kills,
    redisOutage: { atMs: redisBar * barMs + Math.floor(random.float() * barMs), forMs: REDIS_AWAY_MS },
  }
}

function streamRule(id: string, account: string, action: FaultRule['action']): FaultRule {
  return { id, match: { account, channel: 'user-stream' }, phase: 'stream', action, times: 1 }
}
