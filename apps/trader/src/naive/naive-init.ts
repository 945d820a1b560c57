import { z } from 'zod'

/** What a naive worker is told on its first line of input. Keys come this way so that no process list shows them. */
export interface NaiveInit {
  readonly type: 'init'
  readonly worker: string
  readonly rest: string
  readonly streams: string
  readonly apiKey: string
  readonly apiSecret: string
  readonly strategy: 'pulse'
  /** Its share of the symbols: workers of this side split them. */
  readonly symbols: readonly string[]
  /** Open times of the first and the last bar that make intents, epoch milliseconds. */
  readonly fromBarMs: number
  readonly untilBarMs: number
  readonly bookFile: string
  readonly settings: {
    readonly requestTimeoutMs: number
    readonly recvWindowMs: number
    /** Quote worth of an order. */
    readonly orderNotional: string
  }
}

export const naiveInit: z.ZodType<NaiveInit> = z.object({
  type: z.literal('init'),
  worker: z.string(),
  rest: z.string(),
  streams: z.string(),
  apiKey: z.string(),
  apiSecret: z.string(),
  strategy: z.literal('pulse'),
  symbols: z.array(z.string()).min(1),
  fromBarMs: z.number().int(),
  untilBarMs: z.number().int(),
  bookFile: z.string(),
  settings: z.object({
    requestTimeoutMs: z.number().int(),
    recvWindowMs: z.number().int(),
    orderNotional: z.string(),
  }),
})
