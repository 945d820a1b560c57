import { describe, expect, test } from 'vitest'

import { explainTls } from './tls-reason.ts'

describe('explainTls', () => {
  test.each([
    ["ERR_TLS_CERT_ALTNAME_INVALID: Hostname/IP does not match certificate's altnames", /another name/],
    ['CERT_HAS_EXPIRED: certificate has expired', /not valid at this time/],
    ['CERT_NOT_YET_VALID: certificate is not yet valid', /not valid at this time/],
    ['SELF_SIGNED_CERT_IN_CHAIN: self-signed certificate in certificate chain', /nobody this client trusts/],
    ['DEPTH_ZERO_SELF_SIGNED_CERT: self-signed certificate', /nobody this client trusts/],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE: unable to verify the first certificate', /nobody this client trusts/],
    ['ECONNRESET: Client network socket disconnected before secure TLS connection was established', /no TLS handshake/],
    [
      'EPROTO: write EPROTO 00:error:0A00010B:SSL routines:tls_validate_record_header:wrong version number',
      /no TLS hand/,
    ],
    ['read ECONNRESET', /hangs up/],
    ['write EPIPE', /hangs up/],
    ['Connection is closed.', /One side may speak TLS/],
  ])('%s', (error, message) => {
    const reason = explainTls(error)
    expect(reason?.message).toMatch(message)
    expect(reason?.remedy).not.toBe('')
  })

  test.each([
    'connect ECONNREFUSED 127.0.0.1:1',
    'getaddrinfo ENOTFOUND redis.invalid',
    'connect ETIMEDOUT',
    'WRONGPASS invalid username-password pair or user is disabled.',
    'ERR max number of clients reached',
  ])('is silent about %s', error => {
    expect(explainTls(error)).toBe(undefined)
  })
})
