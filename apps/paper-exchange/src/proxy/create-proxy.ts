import { createToken, systemClock } from '@safety/redis-core'
import { driveTimeline } from '../clock/timeline-driver.ts'
import { addControlPlane, addFaultAndTruthRoutes } from '../control/control-plane.ts'
import { createTimeline } from '../engine/timeline.ts'
import { createFaultBook } from '../faults/fault-book.ts'
import { createHttpServer, listenLocally } from '../http/http-server.ts'
import { createTruthLog } from '../truth/truth-log.ts'
import type { TruthPage, TruthQuery } from '../truth/entry.ts'
import { createPassage } from './passage.ts'
import { createUpstream } from './upstream.ts'

/** Where the proxy stands and what it knows. */
export interface FaultyProxy extends AsyncDisposable {
  readonly urls: { rest: string; control: string }
  readonly upstream: string
  readonly controlToken: string
  /** Adds one fault or an array. */
  inject(faults: unknown): { ok: true; value: string[] } | { ok: false; msg: string }
  truth(query?: TruthQuery): TruthPage
}

/**
 * Starts a proxy on 127.0.0.1 in front of a test network. Signatures do not cover the host, so requests pass unchanged;
 * faults act before a request is forwarded or after its whole answer has been read.
 *
 * @throws {PaperExchangeError} `ERR_PAPER_OPTIONS` for an upstream that is no test network, `ERR_PAPER_PORT`
 */
export async function createFaultyProxy(options: {
  upstream: string
  port?: number
  seed?: number
  truthSink?: ((line: string) => void) | undefined
}): Promise<FaultyProxy> {
  const upstream = createUpstream(options.upstream)
  const timeline = createTimeline({ mode: 'real', readMs: () => systemClock.now() })
  const truth = createTruthLog({ nowMs: () => timeline.nowMs(), sink: options.truthSink })
  const faults = createFaultBook({ seed: String(options.seed ?? 1) })
  const controls = {
    inject: (input: unknown) => {
      const added = faults.add(input)
      return added.ok ? { ok: true as const, value: added.ids } : added
    },
    faults: () => faults.list(),
    removeFaults: (id: string | undefined) => {
      if (id !== undefined) return { removed: faults.remove(id) ? 1 : 0 }
      const removed = faults.list().length
      faults.clear()
      return { removed }
    },
    truth: (query?: TruthQuery) => truth.query(query),
  }
  const app = createHttpServer()
  const controlToken = createToken()
  addControlPlane(app, controlToken, plane => addFaultAndTruthRoutes(plane, controls))
  const carry = createPassage({ upstream, timeline, truth, faults })
  app.all('/*', (request, reply) => carry(request, reply))
  const driver = driveTimeline(timeline, systemClock)
  const stop = async (): Promise<void> => {
    driver.stop()
    await app.close()
  }
  const port = await listenLocally(app, options.port ?? 0, stop)
  return {
    urls: { rest: `http://127.0.0.1:${port}`, control: `http://127.0.0.1:${port}/_paper` },
    upstream: upstream.origin,
    controlToken,
    inject: controls.inject,
    truth: controls.truth,
    [Symbol.asyncDispose]: stop,
  }
}
