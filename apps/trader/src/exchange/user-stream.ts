import type { Clock, Random } from '@safety/redis-core'
import { z } from 'zod'
import { StartError } from '../start-error.ts'
import type { ClockSync } from './clock-sync.ts'
import type { Gate } from './gate.ts'
import { createBackoff, createDelayed, type Backoff, type Delayed } from './reconnect.ts'
import { signSocketParams } from './sign.ts'
import { openSocket, type Socket } from './socket.ts'
import { readOrderEvent, type OrderEvent } from './wire.ts'

export interface UserStreamOptions {
  readonly wsApiUrl: string
  readonly apiKey: string
  readonly secret: string
  readonly clockSync: ClockSync
  readonly gate: Gate
  readonly clock: Clock
  readonly random: Random
  /** @default 30000 */
  readonly silentAfterMs?: number
  /** One connection is used this long before a new one takes over. @default 84600000 (23.5 h) */
  readonly rotateAfterMs?: number
  readonly onOrder: (event: OrderEvent) => void
  /** Events may have been missed; called when a subscription is in place again. */
  readonly onGap: (reason: string) => void
  readonly onDown: (reason: string) => void
  /** The exchange refuses this key; the stream stays down. */
  readonly onRefused: (code: number) => void
}

/** Our orders as they happen. Subscribed for as long as it is open; what it may have missed it says. */
export interface UserStream {
  /** Resolves with the first subscription. */
  start(options: { signal: AbortSignal }): Promise<void>
  /** Since the last frame, in milliseconds. */
  silentMs(): number
  close(): void
}

const subscribeWeight = 4
const refusals = new Set([-1022, -2014, -2015])

const response = z.object({
  id: z.string(),
  status: z.number(),
  error: z.object({ code: z.number(), data: z.object({ retryAfter: z.number().optional() }).optional() }).optional(),
})
const pushed = z.object({ event: z.looseObject({ e: z.string() }) })

interface Connection {
  readonly socket: Socket
  subscribed: boolean
}

/** The options and the connections in use. */
interface Context extends UserStreamOptions {
  readonly backoff: Backoff
  readonly again: Delayed
  readonly rotation: Delayed
  readonly first: PromiseWithResolvers<void>
  readonly state: {
    current: Connection | undefined
    /** The one that takes over as soon as it is subscribed. */
    next: Connection | undefined
    closed: boolean
    everSubscribed: boolean
    gapReason: string | undefined
  }
}

type Reply = z.infer<typeof response>

function subscribe(context: Context, send: (message: object) => void): void {
  const params = signSocketParams({ apiKey: context.apiKey, timestamp: context.clockSync.now() }, context.secret)
  send({ id: 'subscribe', method: 'userDataStream.subscribe.signature', params })
}

function onSubscribed(context: Context, connection: Connection): void {
  connection.subscribed = true
  context.backoff.reset()
  if (context.state.current !== connection) {
    // The old one is closed only now, so no event falls between the two.
    context.state.current?.socket.close()
    context.state.current = connection
    context.state.next = undefined
  }
  context.rotation.in(context.rotateAfterMs ?? 84_600_000, () => void connect(context))
  if (!context.state.everSubscribed) {
    context.state.everSubscribed = true
    context.first.resolve()
  } else if (context.state.gapReason !== undefined) {
    context.onGap(context.state.gapReason)
  }
  context.state.gapReason = undefined
}

async function onRefusedReply(context: Context, connection: Connection, reply: Reply): Promise<void> {
  const code = reply.error?.code ?? 0
  connection.socket.close()
  if (reply.status === 429 || reply.status === 418) {
    const untilMs = reply.error?.data?.retryAfter
    await context.gate
      .close(untilMs === undefined ? 1000 : Math.max(1000, untilMs - context.clockSync.now()), `WS ${reply.status}`)
      // Closed here it is in any case; the other workers learn it from their own refusal.
      .catch(() => {})
  }
  if (refusals.has(code)) {
    context.first.reject(new StartError(2, `the exchange refuses TRADER_API_KEY or TRADER_API_SECRET (${code})`))
    context.onRefused(code)
    return
  }
  if (code === -1021) await context.clockSync.sync()
  down(context, connection, `refused ${code}`)
}

function onMessage(context: Context, connection: Connection, message: unknown): void {
  const reply = response.safeParse(message).data
  if (reply !== undefined) {
    if (reply.status === 200) onSubscribed(context, connection)
    else void onRefusedReply(context, connection, reply)
    return
  }
  const event = pushed.safeParse(message).data?.event
  if (event === undefined) return
  if (event.e === 'serverShutdown' && context.state.next === undefined) void connect(context)
  if (event.e === 'eventStreamTerminated') {
    connection.socket.close()
    down(context, connection, 'terminated')
    return
  }
  const order = readOrderEvent(event)
  if (order !== undefined) context.onOrder(order)
}

function down(context: Context, connection: Connection, reason: string): void {
  if (context.state.next === connection) context.state.next = undefined
  if (context.state.current === connection) {
    context.state.current = undefined
    context.state.gapReason ??= reason
    context.onDown(reason)
  }
  // While a replacement is under way, that one reconnects for both.
  if (context.state.closed || context.state.next !== undefined) return
  context.again.in(context.backoff.next(), () => void connect(context))
}

async function connect(context: Context): Promise<void> {
  if (context.state.closed) return
  const waitMs = await context.gate.acquire(subscribeWeight)
  if (context.state.closed) return
  if (waitMs > 0) {
    context.again.in(waitMs, () => void connect(context))
    return
  }
  const connection: Connection = {
    subscribed: false,
    socket: openSocket({
      url: context.wsApiUrl,
      clock: context.clock,
      silentAfterMs: context.silentAfterMs ?? 30_000,
      onOpen: send => subscribe(context, send),
      onMessage: message => onMessage(context, connection, message),
      onDown: reason => down(context, connection, reason),
    }),
  }
  if (context.state.current === undefined) context.state.current = connection
  else context.state.next = connection
}

export function createUserStream(options: UserStreamOptions): UserStream {
  const context: Context = {
    ...options,
    backoff: createBackoff(options.random),
    again: createDelayed(options.clock),
    rotation: createDelayed(options.clock),
    first: Promise.withResolvers<void>(),
    state: { current: undefined, next: undefined, closed: false, everSubscribed: false, gapReason: undefined },
  }
  const { state, first } = context
  // Only `start` waits for it; a refusal before or after concerns nobody else.
  first.promise.catch(() => {})
  return {
    async start({ signal }) {
      const onAbort = (): void => first.reject(signal.reason)
      signal.throwIfAborted()
      signal.addEventListener('abort', onAbort, { once: true })
      await connect(context)
      try {
        await first.promise
      } finally {
        signal.removeEventListener('abort', onAbort)
      }
    },
    silentMs: () => state.current?.socket.silentMs() ?? Number.POSITIVE_INFINITY,
    close() {
      state.closed = true
      context.again.cancel()
      context.rotation.cancel()
      state.current?.socket.close()
      state.next?.socket.close()
    },
  }
}
