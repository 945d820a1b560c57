import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import type { Child, ChildPool } from './demo/child-process.ts'
import type { ExchangeAddress } from './exchange/link.ts'
import { StartError } from './start-error.ts'

export interface OwnExchangeOptions {
  readonly symbols: readonly string[]
  readonly barMs: number
  /** `SYM=file`, handed on as given. */
  readonly candles: readonly string[]
}

const readySchema = z.object({
  event: z.literal('ready'),
  rest: z.string(),
  wsApi: z.string(),
  streams: z.string(),
  accounts: z.array(z.object({ name: z.string(), apiKey: z.string(), secret: z.string() })).min(1),
})

function readReady(line: string): ExchangeAddress | undefined {
  if (!line.startsWith('{')) return undefined
  const ready = readySchema.safeParse(JSON.parse(line)).data
  const account = ready?.accounts[0]
  if (ready === undefined || account === undefined) return undefined
  return {
    restUrl: ready.rest,
    wsApiUrl: ready.wsApi,
    streamsUrl: ready.streams,
    apiKey: account.apiKey,
    apiSecret: account.secret,
  }
}

/**
 * Starts a paper exchange on a free port and waits until it listens.
 *
 * @throws StartError with its own words: 2 for a wrong option or file, 4 otherwise.
 */
export async function startOwnExchange(
  pool: ChildPool,
  options: OwnExchangeOptions,
): Promise<{ child: Child; address: ExchangeAddress }> {
  const file = fileURLToPath(import.meta.resolve('@safety/paper-exchange/main'))
  const args = ['--port', '0', '--json', '--bar-ms', String(options.barMs), '--symbols', options.symbols.join(',')]
  for (const candles of options.candles) args.push('--candles', candles)
  const { promise, resolve, reject } = Promise.withResolvers<ExchangeAddress>()
  const child = pool.start('paper-exchange', file, args, line => {
    const address = readReady(line)
    if (address !== undefined) resolve(address)
  })
  void child.exited.then(({ code, signal }) => {
    const words = (child.complaint().split('\n', 1)[0] ?? '').replace(/^error: /, '')
    const text = words === '' ? `the paper exchange ended before it listened (${signal ?? `exit ${code}`})` : words
    reject(new StartError(code === 2 ? 2 : 4, text))
  })
  return { child, address: await promise }
}
