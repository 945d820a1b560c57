import { createToken, systemClock } from '@safety/redis-core'
import type { Clock } from '@safety/redis-core'
import type { AuditClaims } from './audit/claims.ts'
import type { AuditReport } from './audit/report.ts'
import { driveTimeline } from './clock/timeline-driver.ts'
import { addControlPlane, addExchangeRoutes } from './control/control-plane.ts'
import { createControls } from './control/controls.ts'
import type { PaperControls } from './control/controls.ts'
import { createExchangeEngine } from './engine/create-exchange-engine.ts'
import type { ExchangeEngine } from './engine/exchange-engine.ts'
import { ExchangeOptionError } from './engine/option-error.ts'
import { createTimeline } from './engine/timeline.ts'
import type { Timeline } from './engine/timeline.ts'
import { PaperExchangeError } from './errors.ts'
import type { ExchangeCore } from './exchange-core.ts'
import { createKeyRing } from './http/credentials.ts'
import type { Credentials } from './http/credentials.ts'
import { createRateGate } from './http/rate-gate.ts'
import { createRequestFlow } from './http/request-flow.ts'
import { createHttpServer, listenLocally } from './http/http-server.ts'
import { addRestDialect } from './http/rest-server.ts'
import { resolveOptions } from './options.ts'
import type { PaperExchangeOptions, ResolvedOptions } from './options.ts'
import type { TruthPage, TruthQuery } from './truth/entry.ts'
import { createTruthLog } from './truth/truth-log.ts'
import { createStreamFaults } from './ws/stream-faults.ts'
import type { StreamFaults } from './ws/stream-faults.ts'
import { openWebSocketDoors } from './ws/upgrade.ts'

/** Server time at which a manual clock starts: the end of the last bar of history. */
export const MANUAL_START_MS = 1_700_000_100_000

/** Base addresses of a running exchange; a client that trades here needs no other change. */
export interface PaperExchangeUrls {
  /** `http://127.0.0.1:PORT` */
  rest: string
  /** `ws://127.0.0.1:PORT/ws-api/v3` */
  wsApi: string
  /** `ws://127.0.0.1:PORT/stream` */
  streams: string
  /** `http://127.0.0.1:PORT/_paper` */
  control: string
}

/** A running exchange. Disposing it ends every socket and timer. */
export interface PaperExchange extends AsyncDisposable {
  readonly urls: PaperExchangeUrls
  /** Keys of the accounts it was started with. */
  readonly accounts: readonly Credentials[]
  /** What `X-Paper-Token` must carry. */
  readonly controlToken: string
  readonly seed: number
  /** Adds one fault or an array, as `POST /_paper/faults` does. @returns their ids @throws {PaperExchangeError} `ERR_PAPER_OPTIONS` */
  inject(faults: unknown): string[]
  /** Moves a manual clock; resolves when what fell due has been written to its sockets. @throws {PaperExchangeError} on a real clock */
  advance(ms: number): Promise<void>
  /** A page of the truth log, oldest first. */
  truth(query?: TruthQuery): TruthPage
  /** Judges what a trader says about itself. */
  audit(claims: AuditClaims): AuditReport
  /** Everything else the control plane can do. */
  readonly controls: PaperControls
}

/**
 * Starts an exchange on 127.0.0.1.
 *
 * @throws {PaperExchangeError} `ERR_PAPER_OPTIONS` for a bad option, `ERR_PAPER_PORT` when the port is taken
 *
 * @example
 * await using exchange = await createPaperExchange({ accounts: ['guarded'], clock: 'manual' })
 * await fetch(`${exchange.urls.rest}/api/v3/time`)
 */
export async function createPaperExchange(options: PaperExchangeOptions = {}): Promise<PaperExchange> {
  return startExchange(resolveOptions(options), systemClock)
}

async function startExchange(settings: ResolvedOptions, clock: Clock): Promise<PaperExchange> {
  // Time stands still while the books are set up, however slow the machine: a paused market has then not begun its first bar.
  let setUpAtMs: number | undefined = clock.now()
  const readMs = (): number => setUpAtMs ?? clock.now()
  const timeline = createTimeline({ mode: settings.clock, startMs: MANUAL_START_MS, readMs })
  const engine = createEngine(settings, timeline)
  const horizon = createHorizon(timeline)
  const core: ExchangeCore = {
    engine,
    keys: createKeyRing(String(settings.seed)),
    gate: createRateGate(settings),
    limitBy: settings.limitBy,
    weightLimit: settings.weightLimit,
    orders10s: settings.orders10s,
    engineTimeoutMs: settings.engineTimeoutMs,
    horizonMs: horizon.ms,
  }
  const streamFaults = createStreamFaults(core)
  const controls = createControls({
    core,
    streamFaults,
    balances: settings.balances,
    advance: horizon.advance,
    setMode: mode => (mode === 'manual' ? timeline.hold() : timeline.follow(readMs)),
  })
  const accounts = settings.accounts.map(name => demand(controls.addAccount({ name }), `accounts: ${name}`))
  settings.faults.forEach((fault, index) => demand(controls.inject(fault), `faults.${index}`))
  if (settings.paused) engine.setPaused(undefined, true)
  setUpAtMs = undefined
  const controlToken = createToken()
  const { port, stop } = await openDoors({ settings, core, controls, streamFaults, clock, controlToken })
  return {
    urls: urlsOf(port),
    accounts,
    controlToken,
    seed: settings.seed,
    inject: faults => demand(controls.inject(faults), 'faults'),
    advance: async ms => {
      demand(controls.setClock({ advanceMs: ms }), 'advance')
      // One turn of the event loop, so that the sockets have taken what was written.
      await clock.sleep(0)
    },
    truth: query => controls.truth(query),
    audit: claims => demand(controls.audit(claims), 'audit'),
    controls,
    [Symbol.asyncDispose]: stop,
  }
}

/** Everything that listens, and what ends it all. */
async function openDoors(options: {
  settings: ResolvedOptions
  core: ExchangeCore
  controls: PaperControls
  streamFaults: StreamFaults
  clock: Clock
  controlToken: string
}): Promise<{ port: number; stop: () => Promise<void> }> {
  const { settings, core, controls, streamFaults, clock, controlToken } = options
  const flow = createRequestFlow(core)
  const app = createHttpServer()
  addControlPlane(app, controlToken, plane => addExchangeRoutes(plane, controls))
  addRestDialect(app, core, flow)
  const doors = openWebSocketDoors({ server: app.server, core, flow, faults: streamFaults, clock })
  const driver = driveTimeline(core.engine.timeline, clock)
  let stopping: Promise<void> | undefined
  const stopOnce = async (): Promise<void> => {
    await doors.close()
    await app.close()
    driver.stop()
    core.engine.stop()
  }
  const stop = (): Promise<void> => (stopping ??= stopOnce())
  const port = await listenLocally(app, settings.port, stop)
  return { port, stop }
}

/** Advances a manual clock, and knows how far it will have come. */
function createHorizon(timeline: Timeline): { ms: () => number; advance: (ms: number) => void } {
  let endMs: number | undefined
  return {
    ms: () => endMs ?? timeline.steadyMs(),
    advance: ms => {
      endMs = timeline.steadyMs() + ms
      try {
        timeline.advance(ms)
      } finally {
        endMs = undefined
      }
    },
  }
}

function createEngine(settings: ResolvedOptions, timeline: Timeline): ExchangeEngine {
  const truth = createTruthLog({ nowMs: () => timeline.nowMs(), sink: settings.truthSink })
  try {
    return createExchangeEngine({
      seed: String(settings.seed),
      timeline,
      truth,
      symbols: settings.symbols,
      candles: settings.candles,
      barMs: settings.barMs,
      historyEndMs: settings.lastBarMs,
      orders10s: settings.orders10s,
      readLagMs: settings.readLagMs,
    })
  } catch (error) {
    if (error instanceof ExchangeOptionError) {
      throw new PaperExchangeError('ERR_PAPER_OPTIONS', error.message, { cause: error })
    }
    throw error
  }
}

function demand<T>(told: { ok: true; value: T } | { ok: false; msg: string }, what: string): T {
  if (told.ok) return told.value
  throw new PaperExchangeError('ERR_PAPER_OPTIONS', `${what}: ${told.msg}`)
}

function urlsOf(port: number): PaperExchangeUrls {
  return {
    rest: `http://127.0.0.1:${port}`,
    wsApi: `ws://127.0.0.1:${port}/ws-api/v3`,
    streams: `ws://127.0.0.1:${port}/stream`,
    control: `http://127.0.0.1:${port}/_paper`,
  }
}
