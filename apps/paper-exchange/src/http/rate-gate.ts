import { banned, overWeight } from './refusal.ts'
import type { Refusal } from './refusal.ts'

const MINUTE_MS = 60_000
const RAW_WINDOW_MS = 300_000
/** Requests that were on the wire when the 429 was sent are not held against their sender. */
const GRACE_MS = 250
const LONGEST_BAN_MS = 3 * 86_400_000
/** Sources remembered at once; the quietest ones are forgotten first. */
const MAX_SOURCES = 10_000
/** Raw requests per five minutes and source. */
export const RAW_REQUEST_LIMIT = 300_000

/** The gate of all sources: weight per minute, raw requests, Retry-After, strikes and bans. Times are server time. */
export interface RateGate {
  /** First check of every call: refuses while a Retry-After runs. `strike` tells that the grace was over. */
  enter(source: string, nowMs: number): { refusal: Refusal | undefined; strike: boolean }
  /** Adds weight; refuses and closes the gate above the limit. */
  charge(source: string, weight: number, nowMs: number): Refusal | undefined
  /** Adds weight without refusing: what a failed order costs afterwards. */
  add(source: string, weight: number, nowMs: number): void
  /** Closes the gate as if the limit had been passed. */
  close(source: string, options: { seconds: number; ban: boolean }, nowMs: number): Refusal
  usedWeight(source: string, nowMs: number): number
  /** When the running Retry-After or ban ends, or 0. */
  gateUntilMs(source: string, nowMs: number): number
}

interface Limits {
  weightLimit: number
  banAfter: number
  banMs: number
}

interface Source {
  minute: number
  weight: number
  rawWindow: number
  raw: number
  untilMs: number
  closedAtMs: number
  banned: boolean
  strikes: number
  bans: number
}

/** Creates the gate. A ban begins with the first request after `banAfter` strikes, and each ban is twice as long as the last. */
export function createRateGate(limits: Limits): RateGate {
  const sources = new Map<string, Source>()

  const find = (name: string, nowMs: number): Source => {
    const source = sources.get(name) ?? fresh()
    sources.delete(name)
    sources.set(name, source)
    if (sources.size > MAX_SOURCES) {
      const [quietest] = sources.keys()
      if (quietest !== undefined) sources.delete(quietest)
    }
    turn(source, nowMs)
    return source
  }

  return {
    enter: (name, nowMs) => enter(find(name, nowMs), limits, nowMs),
    charge: (name, weight, nowMs) => charge(find(name, nowMs), weight, limits, nowMs),
    add: (name, weight, nowMs) => {
      find(name, nowMs).weight += weight
    },
    close: (name, { seconds, ban }, nowMs) => {
      const retryAfter = shut(find(name, nowMs), nowMs + seconds * 1000, ban, nowMs)
      return ban ? banned(retryAfter) : overWeight(limits.weightLimit, retryAfter)
    },
    usedWeight: (name, nowMs) => {
      const source = sources.get(name)
      return source?.minute === Math.floor(nowMs / MINUTE_MS) ? source.weight : 0
    },
    gateUntilMs: (name, nowMs) => {
      const untilMs = sources.get(name)?.untilMs ?? 0
      return untilMs > nowMs ? untilMs : 0
    },
  }
}

function fresh(): Source {
  return { minute: 0, weight: 0, rawWindow: 0, raw: 0, untilMs: 0, closedAtMs: 0, banned: false, strikes: 0, bans: 0 }
}

function enter(source: Source, limits: Limits, nowMs: number): ReturnType<RateGate['enter']> {
  if (nowMs >= source.untilMs) return { refusal: undefined, strike: false }
  const strike = nowMs - source.closedAtMs > GRACE_MS
  if (source.banned) return { refusal: banned(remaining(source.untilMs, nowMs)), strike }
  if (strike && source.strikes >= limits.banAfter) {
    const banMs = Math.min(LONGEST_BAN_MS, limits.banMs * 2 ** source.bans)
    source.bans++
    return { refusal: banned(shut(source, nowMs + banMs, true, nowMs)), strike }
  }
  if (strike) source.strikes++
  return { refusal: overWeight(limits.weightLimit, remaining(source.untilMs, nowMs)), strike }
}

function charge(source: Source, weight: number, { weightLimit }: Limits, nowMs: number): Refusal | undefined {
  source.weight += weight
  source.raw++
  if (source.weight > weightLimit) {
    return overWeight(weightLimit, shut(source, (source.minute + 1) * MINUTE_MS, false, nowMs))
  }
  if (source.raw > RAW_REQUEST_LIMIT) {
    return overWeight(weightLimit, shut(source, (source.rawWindow + 1) * RAW_WINDOW_MS, false, nowMs))
  }
  return undefined
}

function shut(source: Source, untilMs: number, ban: boolean, nowMs: number): NonNullable<Refusal['retryAfter']> {
  source.untilMs = untilMs
  source.closedAtMs = nowMs
  source.banned = ban
  if (ban) source.strikes = 0
  return remaining(untilMs, nowMs)
}

/** Opens new windows, and forgives strikes once a Retry-After has been waited out. */
function turn(source: Source, nowMs: number): void {
  const minute = Math.floor(nowMs / MINUTE_MS)
  if (source.minute !== minute) {
    source.minute = minute
    source.weight = 0
  }
  const rawWindow = Math.floor(nowMs / RAW_WINDOW_MS)
  if (source.rawWindow !== rawWindow) {
    source.rawWindow = rawWindow
    source.raw = 0
  }
  if (nowMs >= source.untilMs && source.untilMs > 0) {
    source.untilMs = 0
    source.banned = false
    source.strikes = 0
  }
}

function remaining(untilMs: number, nowMs: number): NonNullable<Refusal['retryAfter']> {
  return { seconds: Math.max(1, Math.ceil((untilMs - nowMs) / 1000)), untilMs }
}
