import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ConfigError, environmentName, parseConfig, readEnvironment, settleMsOf, shownConfig } from './config.ts'

const paper = {
  restUrl: 'http://127.0.0.1:4010',
  wsApiUrl: 'ws://127.0.0.1:4010/ws-api/v3',
  streamsUrl: 'ws://127.0.0.1:4010/stream',
  apiKey: 'PAPERkey',
  apiSecret: 'topsecret',
}
const testnet = {
  mode: 'testnet',
  restUrl: 'https://testnet.binance.vision',
  wsApiUrl: 'wss://ws-api.testnet.binance.vision/ws-api/v3',
  streamsUrl: 'wss://stream.testnet.binance.vision/stream',
  apiKey: 'k',
  apiSecret: 's',
}
const live = {
  mode: 'live',
  live: true,
  liveConfirm: 'real-orders',
  restUrl: 'https://api.binance.com',
  wsApiUrl: 'wss://ws-api.binance.com/ws-api/v3',
  streamsUrl: 'wss://stream.binance.com/stream',
  apiKey: 'k',
  apiSecret: 's',
}

function refusal(settings: Record<string, unknown>): string {
  try {
    parseConfig(settings)
  } catch (error) {
    if (error instanceof ConfigError) return error.setting
    throw error
  }
  return 'accepted'
}

describe('configuration [claim 19]', () => {
  test('nothing at all is the paper default with its own exchange', () => {
    expect(parseConfig({})).toMatchObject({ mode: 'paper', book: 'default', strategy: 'ema-cross', readLagMs: 20_000 })
    expect(settleMsOf(parseConfig({}))).toBe(35_000)
  })

  test.each([paper, testnet, live])('a complete set is accepted: $mode', settings => {
    expect(refusal(settings)).toBe('accepted')
  })

  test.each(['restUrl', 'wsApiUrl', 'streamsUrl', 'apiKey', 'apiSecret'])('each missing part is named: %s', part => {
    for (const whole of [paper, testnet, live]) {
      const { [part]: _, ...rest } = whole as Record<string, unknown>
      expect(refusal(rest)).toBe(environmentName(part))
    }
  })

  test.each<[string, Record<string, unknown>, string]>([
    ['a real host in paper mode', { ...paper, restUrl: 'https://api.binance.com' }, 'TRADER_REST_URL'],
    ['a real host in testnet mode', { ...testnet, restUrl: 'https://api.binance.com' }, 'TRADER_REST_URL'],
    ['a testnet stream in live mode', { ...live, streamsUrl: testnet.streamsUrl }, 'TRADER_STREAMS_URL'],
    ['live without --live', { ...live, live: false }, '--live'],
    ['live without the confirmation', { ...live, liveConfirm: 'yes' }, 'TRADER_LIVE_CONFIRM'],
    ['--live in testnet mode', { ...testnet, live: true }, '--live'],
    ['a load test in live mode', { ...live, strategy: 'pulse' }, '--strategy'],
    ['a broken guard in live mode', { ...live, mutant: 'no-claim' }, 'mutant'],
    ['a paper token on the testnet', { ...testnet, paperToken: 't' }, 'TRADER_PAPER_TOKEN'],
    ['an unknown mode', { mode: 'production' }, 'TRADER_MODE'],
    ['a duration that is none', { readLagMs: 'soon' }, 'TRADER_READ_LAG_MS'],
    ['a duration out of bounds', { recvWindowMs: '60001' }, 'TRADER_RECV_WINDOW_MS'],
    ['a float of money', { orderNotional: '1e3' }, 'TRADER_ORDER_NOTIONAL'],
    ['a limit of nothing', { maxOrderNotional: '0' }, 'TRADER_MAX_ORDER_NOTIONAL'],
    ['a book that is no key', { book: 'a:b' }, 'TRADER_BOOK'],
    ['a setting that does not exist', { readlag: 1 }, 'readlag'],
    ['a symbol twice', { symbols: ['BTCUSDT', 'BTCUSDT'] }, 'TRADER_SYMBOLS'],
  ])('%s is refused by name', (_, settings, setting) => {
    expect(refusal(settings)).toBe(setting)
  })

  test('the environment names every setting the documentation does, and an empty variable is absent', () => {
    const env = { REDIS_URL: 'redis://h', TRADER_READ_LAG_MS: '7', TRADER_SYMBOLS: 'BTCUSDT,ETHUSDT', TRADER_BOOK: '' }
    expect(readEnvironment(env)).toEqual({ redisUrl: 'redis://h', readLagMs: '7', symbols: ['BTCUSDT', 'ETHUSDT'] })
    expect(parseConfig(readEnvironment(env))).toMatchObject({ readLagMs: 7, book: 'default' })
  })

  test('no secret is in an error or in the config as it is shown, whatever is wrong with it', () => {
    const secretText = fc.stringMatching(/^[A-Za-z0-9]{12,40}$/).map(text => `S3CR3T${text}`)
    const secretName = fc.constantFrom(
      'apiKey',
      'apiSecret',
      'paperToken',
      'liveConfirm',
      'webhookUrl',
      'redisUrl',
      'mode',
      'readLagMs',
      'restUrl',
      'book',
    )
    fc.assert(
      fc.property(
        fc.dictionary(secretName, secretText),
        fc.constantFrom({}, paper, testnet, live),
        (secrets, whole) => {
          let shown: string
          try {
            shown = JSON.stringify(shownConfig(parseConfig({ ...whole, ...secrets })))
          } catch (error) {
            shown = String(error)
          }
          const hidden = Object.entries(secrets).filter(([name]) => name !== 'book')
          for (const [, text] of hidden) expect(shown).not.toContain(text)
        },
      ),
    )
  })
})
