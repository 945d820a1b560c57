import { ANSWERS } from './answers.ts'
import { open, symbolOnly, WEIGHT, wrong } from './case-kinds.ts'
import type { ContractCase } from './contract-case.ts'

/** Calls anybody may make. */
export const MARKET_CASES: readonly ContractCase[] = [
  open('ping', 'ping', undefined, ANSWERS.empty),
  open('time', 'time', undefined, ANSWERS.time),
  open('exchangeInfo of a symbol', 'exchangeInfo', symbolOnly, ANSWERS.exchangeInfo),
  open('klines', 'klines', ({ symbol }) => ({ symbol, interval: '1m', limit: 3 }), ANSWERS.klines),
  open('book ticker of a symbol', 'ticker/bookTicker', symbolOnly, ANSWERS.bookTicker),
  open('book ticker of all', 'ticker/bookTicker', undefined, ANSWERS.bookTickers),
  open('average price', 'avgPrice', symbolOnly, ANSWERS.avgPrice),
  open('depth', 'depth', ({ symbol }) => ({ symbol, limit: 5 }), ANSWERS.depth),
  wrong(
    'unknown symbol',
    { method: 'GET', path: 'depth', parameters: () => ({ symbol: 'NOPENOPE' }) },
    -1121,
    'Invalid symbol.',
  ),
  wrong(
    'lower-case symbol',
    { method: 'GET', path: 'depth', parameters: () => ({ symbol: 'btcusdt' }) },
    -1100,
    "Illegal characters found in parameter 'symbol'; legal range is '^[A-Z0-9-_.]{1,20}$'.",
  ),
  wrong(
    'unknown interval',
    { method: 'GET', path: 'klines', parameters: ({ symbol }) => ({ symbol, interval: '9m' }) },
    -1120,
    'Invalid interval.',
  ),
  wrong(
    'no symbol',
    { method: 'GET', path: 'klines', parameters: () => ({ interval: '1m' }) },
    -1102,
    "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.",
  ),
  { name: 'unknown path', method: 'GET', path: 'nothing', status: 404 },
  { name: 'listen keys have ended', method: 'POST', path: 'userDataStream', status: 410 },
]

/** Keys, times and signatures. */
export const ADMISSION_CASES: readonly ContractCase[] = [
  {
    name: 'account',
    method: 'GET',
    path: 'account',
    signed: true,
    status: 200,
    body: ANSWERS.account,
    headers: WEIGHT,
  },
  {
    ...wrong('no key', { method: 'GET', path: 'account', parameters: undefined }, -2014, 'API-key format invalid.'),
    signed: true,
    apiKey: 'none',
    status: 401,
  },
  {
    ...wrong('short key', { method: 'GET', path: 'account', parameters: undefined }, -2014, 'API-key format invalid.'),
    signed: true,
    apiKey: 'short',
    status: 401,
  },
  {
    ...wrong(
      'unknown key',
      { method: 'GET', path: 'account', parameters: undefined },
      -2015,
      'Invalid API-key, IP, or permissions for action.',
    ),
    signed: true,
    apiKey: 'unknown',
    status: 401,
  },
  wrong(
    'wrong signature',
    { method: 'GET', path: 'account', parameters: undefined, signed: true, signature: 'wrong' },
    -1022,
    'Signature for this request is not valid.',
  ),
  wrong(
    'too old',
    {
      method: 'GET',
      path: 'account',
      parameters: ({ nowMs }) => ({ timestamp: nowMs - 10_000, recvWindow: 100 }),
      signed: true,
    },
    -1021,
    'Timestamp for this request is outside of the recvWindow.',
  ),
  wrong(
    'from the future',
    { method: 'GET', path: 'account', parameters: ({ nowMs }) => ({ timestamp: nowMs + 30_000 }), signed: true },
    -1021,
    "Timestamp for this request was 1000ms ahead of the server's time.",
  ),
  wrong(
    'a window over a minute',
    { method: 'GET', path: 'account', parameters: () => ({ recvWindow: 60_001 }), signed: true },
    -1131,
    "'recvWindow' must be less than 60000.",
  ),
]
