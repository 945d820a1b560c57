import { createHmac } from 'node:crypto'
import { WebSocket } from 'ws'
import type { Clock } from '@safety/redis-core'
import type { CallParameters, ContractCase } from './contract-case.ts'

/** Where the suite runs, and with which account. */
export interface Venue {
  name: string
  rest: string
  wsApi: string
  apiKey: string
  secret: string
}

/** What a call has answered. */
export interface ContractAnswer {
  status: number
  body: unknown
  headers: Readonly<Record<string, string>>
}

/** An open line to a venue. */
export interface VenueLine {
  call(contractCase: ContractCase, parameters: CallParameters): Promise<ContractAnswer>
  close(): void
}

const PATIENCE_MS = 15_000

/** Connects the WebSocket API of a venue and answers calls on both channels. */
export async function openVenue(venue: Venue, clock: Clock): Promise<VenueLine> {
  const socket = new WebSocket(venue.wsApi)
  const heard: Record<string, unknown>[] = []
  const waiting = new Set<() => void>()
  socket.on('message', data => {
    heard.push(JSON.parse((data as Buffer).toString('utf8')) as Record<string, unknown>)
    for (const check of waiting) check()
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('open', () => resolve())
    socket.once('error', reject)
  })

  const first = (fits: (message: Record<string, unknown>) => boolean, what: string): Promise<Record<string, unknown>> =>
    new Promise((resolve, reject) => {
      const patience = clock.setTimeout(() => {
        waiting.delete(check)
        reject(new Error(`${venue.name}: no ${what} within ${PATIENCE_MS} ms`))
      }, PATIENCE_MS)
      function check(): void {
        const found = heard.find(message => fits(message))
        if (found === undefined) return
        waiting.delete(check)
        patience.cancel()
        resolve(found)
      }
      waiting.add(check)
      check()
    })

  let nextId = 1
  return {
    call: async (contractCase, parameters) => {
      if (contractCase.path !== undefined) return callRest(venue, contractCase, parameters)
      if (contractCase.method === 'event') {
        const message = await first(
          ({ event }) => (event as { e?: string } | undefined)?.e === 'executionReport',
          'event',
        )
        return { status: 200, body: message, headers: {} }
      }
      const id = nextId++
      const params = socketParameters(venue, contractCase, parameters)
      socket.send(JSON.stringify({ id, method: contractCase.method, params }))
      const answer = await first(message => message['id'] === id, 'answer')
      return { status: Number(answer['status']), body: answer['result'] ?? answer['error'], headers: {} }
    },
    close: () => socket.close(),
  }
}

async function callRest(venue: Venue, call: ContractCase, parameters: CallParameters): Promise<ContractAnswer> {
  const query = `${encode(parameters)}${call.suffix ?? ''}`
  const signature = call.signed === true ? `&signature=${signatureOf(venue, call, query)}` : ''
  const response = await fetch(`${venue.rest}/api/v3/${call.path}?${query}${signature}`, {
    method: call.method,
    headers: keyHeader(venue, call),
  })
  const text = await response.text()
  return { status: response.status, body: parse(text), headers: Object.fromEntries(response.headers) }
}

function keyHeader(venue: Venue, { signed, apiKey }: ContractCase): Record<string, string> {
  if (signed !== true || apiKey === 'none') return {}
  if (apiKey === 'short') return { 'x-mbx-apikey': 'short' }
  return { 'x-mbx-apikey': apiKey === 'unknown' ? 'A'.repeat(64) : venue.apiKey }
}

function socketParameters(venue: Venue, call: ContractCase, parameters: CallParameters): CallParameters {
  if (call.signed !== true) return parameters
  const params: CallParameters = { ...parameters, apiKey: venue.apiKey }
  const names = Object.keys(params).sort()
  const text = names.map(name => `${name}=${params[name] ?? ''}`).join('&')
  return { ...params, signature: signatureOf(venue, call, text) }
}

function signatureOf(venue: Venue, call: ContractCase, text: string): string {
  return call.signature === 'wrong' ? '0'.repeat(64) : createHmac('sha256', venue.secret).update(text).digest('hex')
}

function encode(parameters: CallParameters): string {
  return Object.entries(parameters)
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`)
    .join('&')
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
