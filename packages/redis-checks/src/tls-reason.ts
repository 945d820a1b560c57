/** What an error of a connection says about TLS, and what ends it. */
export interface TlsReason {
  readonly message: string
  readonly remedy: string
}

const REASONS: readonly (TlsReason & { readonly pattern: RegExp })[] = [
  {
    pattern: /ALTNAME_INVALID|Hostname\/IP does not match/i,
    message: 'The certificate of the node is for another name.',
    remedy: 'Connect by a name or address the certificate lists, or issue it for this one.',
  },
  {
    pattern: /CERT_HAS_EXPIRED|CERT_NOT_YET_VALID/i,
    message: 'The certificate of the node is not valid at this time.',
    remedy: 'Renew the certificate, and compare the clocks.',
  },
  {
    pattern: /certificate|CERT_|SELF_SIGNED|UNABLE_TO_(?:GET|VERIFY)/i,
    message: 'The certificate of the node is signed by nobody this client trusts.',
    remedy: 'Trust the authority that signed it: tls.ca of the client, --tls-ca of the command.',
  },
  {
    pattern: /secure TLS connection|wrong version number|packet length too long|EPROTO|SSL routines/i,
    message: 'The node answers no TLS handshake: on this port it may speak plain text.',
    remedy: 'Use the TLS port of the node, or connect without TLS: redis:// instead of rediss://.',
  },
  {
    pattern: /ECONNRESET|EPIPE/i,
    message: 'The node hangs up on this client. A port that speaks TLS alone does so to a client without it.',
    remedy:
      'If the port speaks TLS, connect with it: rediss:// instead of redis://. Else look for what ends connections.',
  },
  {
    pattern: /no usable connection within|Connection is closed|the connection was lost/i,
    message: 'The connection ended before an answer came. One side may speak TLS and the other not.',
    remedy: 'Compare client and port: rediss:// for TLS, redis:// for plain text. Else look for a busy host.',
  },
]

/** The first that fits; nothing when the error is about something else. */
export function explainTls(error: string): TlsReason | undefined {
  return REASONS.find(({ pattern }) => pattern.test(error))
}
