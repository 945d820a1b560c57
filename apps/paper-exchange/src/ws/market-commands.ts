const MAX_STREAMS = 1024

/** The subscriptions of one connection. */
export interface StreamSubscriptions {
  readonly names: ReadonlySet<string>
  add(name: string): void
  remove(name: string): void
}

type RequestId = number | string | null

/** Answers one command of a client: SUBSCRIBE, UNSUBSCRIBE or LIST_SUBSCRIPTIONS. */
export function answerCommand(text: string, subscriptions: StreamSubscriptions): string {
  const command = parse(text)
  if (command === undefined) return refuse(null, 3, 'Invalid JSON: expected an object')
  const { id = null, method, params = [] } = command
  if (!isId(id)) return refuse(null, 2, 'Invalid request: request ID must be an unsigned integer or a string')
  if (method === 'LIST_SUBSCRIPTIONS') return JSON.stringify({ result: [...subscriptions.names], id })
  if (method !== 'SUBSCRIBE' && method !== 'UNSUBSCRIBE') return refuse(id, 2, 'Invalid request: unknown method')
  if (!Array.isArray(params) || params.length === 0 || !params.every(name => typeof name === 'string')) {
    return refuse(id, 2, 'Invalid request: params must be a list of stream names')
  }
  if (method === 'SUBSCRIBE' && subscriptions.names.size + params.length > MAX_STREAMS) {
    return refuse(id, 2, `Invalid request: at most ${MAX_STREAMS} streams a connection`)
  }
  for (const name of params) {
    if (method === 'SUBSCRIBE') subscriptions.add(name)
    else subscriptions.remove(name)
  }
  return JSON.stringify({ result: null, id })
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function isId(id: unknown): id is RequestId {
  return id === null || Number.isSafeInteger(id) || (typeof id === 'string' && /^[A-Za-z0-9-]{1,36}$/.test(id))
}

function refuse(id: RequestId, code: number, msg: string): string {
  return JSON.stringify({ error: { code, msg }, id })
}
