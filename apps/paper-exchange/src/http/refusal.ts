/** An answer that says no, in the dialect of the exchange. Times are server time. */
export interface Refusal {
  status: number
  code: number
  msg: string
  /** Whole seconds for the `Retry-After` header, and the moment it ends. */
  retryAfter?: { seconds: number; untilMs: number }
  /** Sent instead of code and message, as by a proxy in front. */
  html?: string
}

/** Legal forms of parameters, as the exchange prints them in -1100. */
export const LEGAL = {
  symbol: '^[A-Z0-9-_.]{1,20}$',
  clientOrderId: '^[a-zA-Z0-9-_]{1,36}$',
  decimal: '^([0-9]{1,20})(\\.[0-9]{1,20})?$',
  integer: '^[0-9]{1,20}$',
  signature: '^[A-Fa-f0-9]+$',
  word: '^[A-Za-z_]{1,40}$',
} as const

const bad = (code: number, msg: string): Refusal => ({ status: 400, code, msg })

export const badKeyFormat: Refusal = { status: 401, code: -2014, msg: 'API-key format invalid.' }
export const rejectedKey: Refusal = {
  status: 401,
  code: -2015,
  msg: 'Invalid API-key, IP, or permissions for action.',
}
export const badSignature: Refusal = bad(-1022, 'Signature for this request is not valid.')
export const tooLate: Refusal = bad(-1021, 'Timestamp for this request is outside of the recvWindow.')
export const tooEarly: Refusal = bad(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
export const badRecvWindow: Refusal = bad(-1131, "'recvWindow' must be less than 60000.")
export const invalidSymbol: Refusal = bad(-1121, 'Invalid symbol.')
export const invalidInterval: Refusal = bad(-1120, 'Invalid interval.')
export const badCombination: Refusal = bad(-1128, 'Combination of optional parameters invalid.')
export const orderNotFound: Refusal = bad(-2013, 'Order does not exist.')
export const orderIdMismatch: Refusal = bad(-2039, 'Client order ID is not correct for this order ID.')
export const unknownOrder: Refusal = bad(-2011, 'Unknown order sent.')
export const duplicatedParameter: Refusal = bad(-1101, 'Duplicate values for a parameter detected.')
export const listenKeysEnded: Refusal = {
  status: 410,
  code: -1016,
  msg: 'Listen keys ended on 2026-02-20; use userDataStream.subscribe.signature on the WebSocket API.',
}
export const unknownPath: Refusal = {
  status: 404,
  code: -1000,
  msg: 'Not found.',
  html: '<html><body><h2>404 Not found</h2></body></html>',
}
export const engineTimedOut: Refusal = {
  status: 503,
  code: -1007,
  msg: 'Timeout waiting for response from backend server. Send status unknown; execution status unknown.',
}

export const missing = (name: string): Refusal =>
  bad(-1102, `Mandatory parameter '${name}' was not sent, was empty/null, or malformed.`)
export const oneOf = (left: string, right: string): Refusal =>
  bad(-1102, `Param '${left}' or '${right}' must be sent, but both were empty/null!`)
export const empty = (name: string): Refusal => bad(-1105, `Parameter '${name}' was empty.`)
export const illegal = (name: string, range: string): Refusal =>
  bad(-1100, `Illegal characters found in parameter '${name}'; legal range is '${range}'.`)
export const unread = (read: number, sent: number): Refusal =>
  bad(-1104, `Not all sent parameters were read; read '${read}' parameter(s) but was sent '${sent}'.`)
export const notRequired = (name: string): Refusal => bad(-1106, `Parameter '${name}' sent when not required.`)
export const tooPrecise = (name: string): Refusal => bad(-1111, `Parameter '${name}' has too much precision.`)
export const notValid = (name: string): Refusal => bad(-1130, `Data sent for parameter '${name}' is not valid.`)
export const lookupTooBig = (hours: number): Refusal =>
  bad(-1127, `More than ${hours} hours between startTime and endTime.`)
export const rejected = (msg: string): Refusal => bad(-2010, msg)
export const invalid = (code: -1115 | -1116 | -1117, what: string): Refusal => bad(code, `Invalid ${what}.`)

export const overWeight = (limit: number, retryAfter: { seconds: number; untilMs: number }): Refusal => ({
  status: 429,
  code: -1003,
  msg: `Too much request weight used; current limit is ${limit} request weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API.`,
  retryAfter,
})
export const banned = (retryAfter: { seconds: number; untilMs: number }): Refusal => ({
  status: 418,
  code: -1003,
  msg: `Way too much request weight used; IP banned until ${retryAfter.untilMs}. Please use WebSocket Streams for live updates to avoid bans.`,
  retryAfter,
})
