import type { ExchangeCore, Prepared } from '../exchange-core.ts'
import { looksLikeKey } from './credentials.ts'
import { isRefusal, readParameters, SIGNED_PARAMETERS } from './parameters.ts'
import type { Parameters, ParameterSpecs, SentParameters } from './parameters.ts'
import { badKeyFormat, badSignature, rejectedKey } from './refusal.ts'
import type { Refusal } from './refusal.ts'
import { verifySignature } from './signature.ts'
import type { SignedText } from './signature.ts'
import { checkTime, readSignedTime } from './time-check.ts'
import type { SignedTime } from './time-check.ts'

/** One call of the dialect, on either channel. */
export interface Endpoint {
  security: 'none' | 'signed'
  parameters: ParameterSpecs
  /** Charged before anything is known about success. */
  weight(sent: ReadonlyMap<string, string>): number
  /** Charged when the answer turns out to be a failure. */
  failureWeight?: number
  /** The parameter that carries our own id, for faults and the log. */
  idParameter?: 'newClientOrderId' | 'origClientOrderId'
  /** Checks parameters against each other and gives the work that is left. */
  prepare(account: string, parameters: Parameters, signedAtMs: number | undefined): Prepared | Refusal
}

/** One request as it arrived. */
export interface Call {
  channel: 'rest' | 'ws-api'
  method: string
  path: string
  endpoint: Endpoint
  ip: string
  apiKey: string | undefined
  sent: SentParameters
  signed(): SignedText
}

/** A request that may enter the engine, unless it has become too old by then. */
export interface Admitted {
  prepared: Prepared
  time: SignedTime | undefined
}

/** Steps 3 to 6 of section 4: key, parameters, time, signature. The first failure answers. */
export function admit(core: ExchangeCore, call: Call, nowMs: number): Admitted | Refusal {
  return call.endpoint.security === 'none' ? admitOpen(call) : admitSigned(core, call, nowMs)
}

function admitOpen({ endpoint, sent }: Call): Admitted | Refusal {
  const parameters = readParameters(endpoint.parameters, sent)
  if (isRefusal(parameters)) return parameters
  const prepared = endpoint.prepare('', parameters, undefined)
  return isRefusal(prepared) ? prepared : { prepared, time: undefined }
}

function admitSigned(core: ExchangeCore, call: Call, nowMs: number): Admitted | Refusal {
  const { apiKey, endpoint } = call
  if (apiKey === undefined || !looksLikeKey(apiKey)) return badKeyFormat
  const credentials = core.keys.find(apiKey)
  if (credentials === undefined) return rejectedKey
  const parameters = readParameters({ ...endpoint.parameters, ...SIGNED_PARAMETERS }, call.sent)
  if (isRefusal(parameters)) return parameters
  const time = readSignedTime(parameters['timestamp'] ?? '', parameters['recvWindow'])
  const prepared = endpoint.prepare(credentials.name, parameters, isRefusal(time) ? undefined : time.signedAtMs)
  if (isRefusal(prepared)) return prepared
  if (isRefusal(time)) return time
  const refusal = checkTime(time, nowMs)
  if (refusal !== undefined) return refusal
  return verifySignature(credentials.secret, call.signed()) ? { prepared, time } : badSignature
}

/** Whom limits and bans count: the API key if one was sent, else the address. */
export function sourceOf(core: ExchangeCore, call: { ip: string; apiKey: string | undefined }): string {
  const byKey = core.limitBy === 'key' && call.apiKey !== undefined && looksLikeKey(call.apiKey)
  return byKey ? `key ${call.apiKey}` : `ip ${call.ip}`
}

/** Our own id in a request, whatever else is wrong with it. */
export function clientOrderIdOf({ endpoint, sent }: Call): string | undefined {
  return endpoint.idParameter === undefined ? undefined : sent.values.get(endpoint.idParameter)
}

/** When a request says it was signed, whatever else is wrong with it. */
export function signedAtOf({ sent }: Call): number | undefined {
  const timestamp = sent.values.get('timestamp')
  if (timestamp === undefined || !/^[0-9]{1,20}$/.test(timestamp)) return undefined
  const time = readSignedTime(timestamp, undefined)
  return isRefusal(time) ? undefined : time.signedAtMs
}
