import { describe, expect, test } from 'vitest'
import { restSignedText, socketSignedText, verifySignature } from './signature.ts'

const SECRET = 'NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j'
const API_KEY = 'vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A'

// The worked examples of rest-api.md and web-socket-api.md (binance/binance-spot-api-docs).
const REST_TAIL = 'side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559'
const REST = [
  ['an ASCII symbol', `symbol=LTCBTC&${REST_TAIL}`, 'c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71'],
  [
    'an encoded symbol',
    `symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96&${REST_TAIL}`,
    'e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3',
  ],
] as const
const SOCKET = [
  [
    'an ASCII symbol',
    { symbol: 'BTCUSDT', side: 'SELL', quantity: '0.01000000', price: '52000.00', recvWindow: 100 },
    'aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24',
  ],
  [
    'a symbol in UTF-8',
    { symbol: '１２３４５６', side: 'BUY', quantity: '1.00000000', price: '0.10000000', recvWindow: 5000 },
    'b33892ae8e687c939f4468c6268ddd4c40ac1af18ad19a064864c47bae0752cd',
  ],
] as const

const cases = ['lower', 'upper'] as const
const inCase = (signature: string, form: (typeof cases)[number]): string =>
  form === 'upper' ? signature.toUpperCase() : signature

describe('signatures [claim 1]', () => {
  for (const form of cases) {
    test.each(REST)(`the REST example with %s verifies in the query, in ${form} case`, (_name, query, signature) => {
      const signed = restSignedText(`${query}&signature=${inCase(signature, form)}`, Buffer.alloc(0))
      expect(verifySignature(SECRET, signed)).toBe(true)
    })

    test.each(SOCKET)(`the WebSocket example with %s verifies, in ${form} case`, (_name, params, signature) => {
      const all = { ...params, type: 'LIMIT', timeInForce: 'GTC', timestamp: 1645423376532, apiKey: API_KEY }
      const signed = socketSignedText({ ...all, signature: inCase(signature, form) })
      expect(verifySignature(SECRET, signed)).toBe(true)
    })
  }

  test('the body alone is signed like the query alone', () => {
    const [, query, signature] = REST[0]
    expect(verifySignature(SECRET, restSignedText('', Buffer.from(`${query}&signature=${signature}`)))).toBe(true)
  })

  test('query and body are joined without a separator', () => {
    const query = 'symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC'
    const body = 'quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559'
    const signature = '0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77'
    const signed = restSignedText(query, Buffer.from(`${body}&signature=${signature}`))
    expect(verifySignature(SECRET, signed)).toBe(true)
    expect(verifySignature(SECRET, restSignedText(`${query}&${body}&signature=${signature}`, Buffer.alloc(0)))).toBe(
      false,
    )
  })

  test('a signature in front of the other parameters is cut out with its separator', () => {
    const [, query, signature] = REST[0]
    expect(verifySignature(SECRET, restSignedText(`signature=${signature}&${query}`, Buffer.alloc(0)))).toBe(true)
  })

  test.each(['', 'xyz', 'c8db', `${REST[0][2]}00`])('%j is no signature', signature => {
    expect(verifySignature(SECRET, restSignedText(`${REST[0][1]}&signature=${signature}`, Buffer.alloc(0)))).toBe(false)
  })
})
