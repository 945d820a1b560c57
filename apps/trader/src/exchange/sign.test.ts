import { describe, expect, test } from 'vitest'
import { encodeParams, signedQuery, signHmac, signSocketParams } from './sign.ts'

// The worked examples of the exchange's documentation (rest-api.md, "SIGNED endpoint examples"; web-socket-api.md).
const secret = 'NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j'

describe('signing', () => {
  test('a query signed here verifies as in the documentation', () => {
    const params = {
      symbol: 'LTCBTC',
      side: 'BUY',
      type: 'LIMIT',
      timeInForce: 'GTC',
      quantity: 1,
      price: '0.1',
      recvWindow: 5000,
      timestamp: 1_499_827_319_559,
    }
    expect(signHmac(secret, encodeParams(params))).toBe(
      'c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71',
    )
    expect(signedQuery(params, secret)).toMatch(/timestamp=1499827319559&signature=[0-9a-f]{64}$/)
  })

  test('encoding comes before signing, and absent parameters are not sent', () => {
    const query = signedQuery({ symbol: '１２３', note: 'a b&c', none: undefined }, secret)
    const [payload, signature] = query.split('&signature=')
    expect(payload).toBe('symbol=%EF%BC%91%EF%BC%92%EF%BC%93&note=a%20b%26c')
    expect(signature).toBe(signHmac(secret, payload!))
  })

  test('socket parameters are signed sorted by name, whatever their order', () => {
    const signed = signSocketParams({ timestamp: 1, apiKey: 'k' }, secret)
    expect(signed).toEqual({ timestamp: 1, apiKey: 'k', signature: signHmac(secret, 'apiKey=k&timestamp=1') })
  })
})
