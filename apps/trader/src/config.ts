import { z } from 'zod'
import { strategyNamed, strategyNames, type StrategyName } from './strategy/catalog.ts'

export type Mode = 'paper' | 'testnet' | 'live'
/** A guard that is broken on purpose, so that the judge can be seen to notice. */
export type Mutant = 'no-claim' | 'retry-unknown' | 'trust-not-found'
export const mutants: readonly Mutant[] = ['no-claim', 'retry-unknown', 'trust-not-found']

/** Durations whose sum says how long a request that went unanswered may still turn into an order. */
export interface Timing {
  /** Market bars last this long in server time; validity of missed bars is counted with it. @default 60000 */
  readonly barMs: number
  /** From sending an order to giving up on its answer. @default 11000 */
  readonly requestTimeoutMs: number
  /** The exchange admits a signed request this long, 1..60000. @default 5000 */
  readonly recvWindowMs: number
  /** The exchange may work on an admitted request this long. @default 10000 */
  readonly engineTimeoutMs: number
  /** What was accepted may be missing from queries this long. @default 20000 */
  readonly readLagMs: number
  /** An intent may be sent this long after its bar arrived. @default 60000 */
  readonly validMs: number
  /** Lease of the right to place an intent. @default 15000 */
  readonly leaseMs: number
  /** A request leaves this long after dispatch was asked, or not at all. @default 250 */
  readonly permitMs: number
  /** Between two reconciliations. @default 30000 */
  readonly reconcileMs: number
  /** An intent in doubt for longer is STUCK. @default 300000 */
  readonly stuckAfterMs: number
  /** No bar for this long: entries are denied. @default 10000, and never below three bars */
  readonly staleDataMs: number
}

/** Limits of the risk section. They are read here so that a wrong one stops the start. */
export interface Limits {
  readonly maxOrderNotional: string
  readonly maxSymbolExposure: string
  readonly maxTotalExposure: string
  readonly maxOpenOrders: number
  readonly maxOrdersPerMinute: number
  readonly priceCollar: string
  readonly maxDailyLoss: string
}

/** Everything a trader needs to know before it connects to anything. */
export interface TraderConfig extends Timing, Limits {
  readonly mode: Mode
  /** Names the keys in Redis; traders of one book share its intents, its limits and its kill switch. */
  readonly book: string
  readonly strategy: StrategyName
  readonly symbols: readonly string[]
  readonly redisUrl: string | undefined
  readonly restUrl: string | undefined
  readonly wsApiUrl: string | undefined
  readonly streamsUrl: string | undefined
  readonly apiKey: string | undefined
  readonly apiSecret: string | undefined
  readonly paperToken: string | undefined
  readonly live: boolean
  readonly liveConfirm: string | undefined
  readonly webhookUrl: string | undefined
  readonly stateDir: string
  /** Quote worth of one entry. @default '100' */
  readonly orderNotional: string
  /** LIMIT orders rest at the bar's close and are cancelled when validity ends. @default 'MARKET' */
  readonly orderType: 'MARKET' | 'LIMIT'
  /** `lock` denies entries of a symbol while one of its intents is in doubt. @default 'lock' */
  readonly onUnknown: 'lock' | 'count'
  readonly cancelOnExit: boolean
  /** Trade only bars that open at or after this market time, as if the checkpoint were just before. */
  readonly tradeFromMs: number | undefined
  /** Trade no bar that opens after this market time. */
  readonly tradeUntilMs: number | undefined
  readonly mutant: Mutant | undefined
}

/** The demo's timing (a second there stands for a minute): every wait of the real profile, scaled down. */
export const demoTiming: Timing = {
  barMs: 500,
  requestTimeoutMs: 400,
  recvWindowMs: 1500,
  engineTimeoutMs: 1000,
  readLagMs: 1500,
  validMs: 6000,
  leaseMs: 2000,
  permitMs: 100,
  reconcileMs: 10_000,
  stuckAfterMs: 20_000,
  staleDataMs: 10_000,
}

/** A setting is missing, wrong, or contradicts another. The message names it and never shows a value. */
export class ConfigError extends Error {
  readonly code = 'ERR_TRADER_CONFIG'
  readonly setting: string
  constructor(setting: string, message: string) {
    super(`${setting}: ${message}`)
    this.name = 'ConfigError'
    this.setting = setting
  }
}

const decimal = z.string().regex(/^\d{1,15}(\.\d{1,8})?$/, 'must be a decimal number such as 100 or 0.02')
const positive = decimal.refine(text => Number(text) > 0, 'must be above 0')
const milliseconds = (min: number, max: number, ifAbsent: number): z.ZodDefault<z.ZodCoercedNumber> =>
  z.coerce
    .number('must be a number of milliseconds')
    .int('must be whole milliseconds')
    .min(min, `must be at least ${min}`)
    .max(max, `must be at most ${max}`)
    .default(ifAbsent)
const count = (ifAbsent: number): z.ZodDefault<z.ZodCoercedNumber> =>
  z.coerce.number('must be a number').int('must be whole').min(1, 'must be at least 1').default(ifAbsent)
const optionalText = z.string().min(1, 'must not be empty').optional()
const url = (protocols: RegExp, what: string): z.ZodOptional<z.ZodURL> =>
  z.url({ protocol: protocols, error: `must be ${what}` }).optional()
const marketTime = z.coerce.number('must be epoch milliseconds').int().min(0).optional()

const schema = z.strictObject({
  mode: z.enum(['paper', 'testnet', 'live'], 'must be paper, testnet or live').default('paper'),
  book: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,24}$/, 'must be 1 to 24 characters of A-Z a-z 0-9 _ . -')
    .default('default'),
  strategy: z.enum(strategyNames, `must be one of ${strategyNames.join(', ')}`).default('ema-cross'),
  symbols: z
    .array(z.string().regex(/^[A-Z0-9]{2,20}$/, 'must be symbols such as BTCUSDT'))
    .min(1, 'must name a symbol')
    .refine(list => new Set(list).size === list.length, 'must not name a symbol twice')
    .default(['BTCUSDT', 'ETHUSDT', 'BNBUSDT']),
  redisUrl: optionalText,
  restUrl: url(/^https?$/, 'an http or https URL'),
  wsApiUrl: url(/^wss?$/, 'a ws or wss URL'),
  streamsUrl: url(/^wss?$/, 'a ws or wss URL'),
  apiKey: optionalText,
  apiSecret: optionalText,
  paperToken: optionalText,
  live: z.boolean().default(false),
  liveConfirm: optionalText,
  webhookUrl: url(/^https?$/, 'an http or https URL'),
  stateDir: z.string().min(1).default('.trader'),
  orderNotional: positive.default('100'),
  orderType: z.enum(['MARKET', 'LIMIT'], 'must be MARKET or LIMIT').default('MARKET'),
  onUnknown: z.enum(['lock', 'count'], 'must be lock or count').default('lock'),
  cancelOnExit: z.boolean().default(false),
  tradeFromMs: marketTime,
  tradeUntilMs: marketTime,
  mutant: z.enum(mutants as [Mutant, ...Mutant[]], `must be one of ${mutants.join(', ')}`).optional(),
  barMs: milliseconds(50, 86_400_000, 60_000),
  requestTimeoutMs: milliseconds(50, 120_000, 11_000),
  recvWindowMs: milliseconds(1, 60_000, 5000),
  engineTimeoutMs: milliseconds(0, 600_000, 10_000),
  readLagMs: milliseconds(0, 600_000, 20_000),
  validMs: milliseconds(100, 86_400_000, 60_000),
  leaseMs: milliseconds(100, 600_000, 15_000),
  permitMs: milliseconds(1, 10_000, 250),
  reconcileMs: milliseconds(500, 3_600_000, 30_000),
  stuckAfterMs: milliseconds(1000, 86_400_000, 300_000),
  staleDataMs: milliseconds(100, 3_600_000, 10_000),
  maxOrderNotional: positive.default('1000'),
  maxSymbolExposure: positive.default('10000'),
  maxTotalExposure: positive.default('50000'),
  maxOpenOrders: count(10),
  maxOrdersPerMinute: count(60),
  priceCollar: positive.default('0.02'),
  maxDailyLoss: positive.default('500'),
})

/** A setting's name in the environment: `readLagMs` is `TRADER_READ_LAG_MS`. */
export function environmentName(setting: string): string {
  if (setting === 'redisUrl') return 'REDIS_URL'
  return `TRADER_${setting.replaceAll(/[A-Z]/g, letter => `_${letter}`).toUpperCase()}`
}

const notFromEnvironment = new Set(['live', 'cancelOnExit', 'mutant', 'tradeFromMs', 'tradeUntilMs'])

/** The settings an environment names. An empty variable counts as absent. */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): Record<string, unknown> {
  const found: Record<string, unknown> = {}
  for (const setting of Object.keys(schema.shape)) {
    const value = env[environmentName(setting)]
    if (notFromEnvironment.has(setting) || value === undefined || value === '') continue
    found[setting] = setting === 'symbols' ? value.split(',') : value
  }
  return found
}

const loopback = /^(127\.0\.0\.1|localhost|\[::1\])$/
const testnetHosts = /(^|\.)testnet\.binance\.vision$|^demo-(api|ws-api|stream)\.binance\.com$/
const liveHosts = /^(api|api[1-4]|api-gcp|ws-api|stream|data-stream)\.binance\.com$/

function hostRule(mode: Mode): { allows: (url: URL) => boolean; what: string } {
  switch (mode) {
    case 'paper':
      return { allows: url => loopback.test(url.hostname), what: 'a loopback address in paper mode' }
    case 'testnet':
      return {
        allows: url => testnetHosts.test(url.hostname) || loopback.test(url.hostname),
        what: 'a testnet host, or a loopback proxy in front of one, in testnet mode',
      }
    case 'live':
      return {
        allows: url => liveHosts.test(url.hostname) && /^(https|wss):$/.test(url.protocol),
        what: 'a production host over TLS in live mode',
      }
    default:
      return mode satisfies never
  }
}

const exchangeParts = ['restUrl', 'wsApiUrl', 'streamsUrl', 'apiKey', 'apiSecret'] as const

function checkExchange(config: TraderConfig): void {
  const given = exchangeParts.filter(part => config[part] !== undefined)
  if (config.mode === 'paper' && given.length === 0) return
  for (const part of exchangeParts) {
    if (config[part] !== undefined) continue
    const why = config.mode === 'paper' ? `needed together with ${environmentName(given[0] ?? 'restUrl')}` : 'missing'
    throw new ConfigError(environmentName(part), `${why} in ${config.mode} mode`)
  }
  const rule = hostRule(config.mode)
  for (const part of ['restUrl', 'wsApiUrl', 'streamsUrl'] as const) {
    if (!rule.allows(new URL(config[part] ?? ''))) throw new ConfigError(environmentName(part), `must be ${rule.what}`)
  }
}

function checkMode(config: TraderConfig): void {
  if (config.mode === 'live') {
    if (!config.live) throw new ConfigError('--live', 'needed for real orders beside TRADER_MODE=live')
    if (config.liveConfirm !== 'real-orders') {
      throw new ConfigError('TRADER_LIVE_CONFIRM', 'must be real-orders in live mode')
    }
    if (strategyNamed(config.strategy).loadOnly) {
      throw new ConfigError('--strategy', `${config.strategy} is a load test and is refused in live mode`)
    }
    if (config.mutant !== undefined) throw new ConfigError('mutant', 'refused in live mode')
  } else if (config.live) {
    throw new ConfigError('--live', `contradicts ${config.mode} mode`)
  }
  if (config.paperToken !== undefined && config.mode !== 'paper') {
    throw new ConfigError('TRADER_PAPER_TOKEN', `contradicts ${config.mode} mode`)
  }
}

/**
 * Checks settings as a whole and fills in the defaults.
 *
 * @throws ConfigError (`ERR_TRADER_CONFIG`) naming the first missing, wrong or contradicting setting.
 */
export function parseConfig(settings: Readonly<Record<string, unknown>>): TraderConfig {
  const parsed = schema.safeParse(settings)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    const unknown = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined
    if (unknown !== undefined) throw new ConfigError(unknown, 'is not a setting')
    throw new ConfigError(environmentName(String(issue?.path[0] ?? 'settings')), issue?.message ?? 'is wrong')
  }
  const config: TraderConfig = Object.freeze({ ...blankConfig, ...parsed.data })
  checkExchange(config)
  checkMode(config)
  return config
}

/** Settings that may be absent are present as `undefined`, so that a config has one shape. */
const blankConfig = {
  redisUrl: undefined,
  restUrl: undefined,
  wsApiUrl: undefined,
  streamsUrl: undefined,
  apiKey: undefined,
  apiSecret: undefined,
  paperToken: undefined,
  liveConfirm: undefined,
  webhookUrl: undefined,
  tradeFromMs: undefined,
  tradeUntilMs: undefined,
  mutant: undefined,
}

/** How long after a request was signed (or its lease ended) a query's "not found" may still be wrong. */
export function settleMsOf(timing: Timing): number {
  return timing.recvWindowMs + timing.engineTimeoutMs + timing.readLagMs
}

const secretSettings = ['apiKey', 'apiSecret', 'paperToken', 'liveConfirm', 'webhookUrl', 'redisUrl'] as const

/** The config as it may be shown: every secret is `[secret]`. */
export function shownConfig(config: TraderConfig): Record<string, unknown> {
  const shown: Record<string, unknown> = { ...config }
  for (const setting of secretSettings) if (config[setting] !== undefined) shown[setting] = '[secret]'
  return shown
}
