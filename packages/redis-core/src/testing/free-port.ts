import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { serverError } from './server-error.ts'

// Below every system's ephemeral range, so no outgoing connection can sit on the port while a test keeps its server down,
// and low enough that the cluster bus port (10000 above) is below it as well.
const FIRST_PORT = 11_000
const LAST_PORT = 21_999
const ATTEMPTS = 200

/** What a cluster node adds to its port for the node-to-node bus. */
export const BUS_PORT_OFFSET = 10_000

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise(resolve => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(true)))
  })
}

/**
 * A port nobody listens on, drawn at random so that parallel test runners rarely meet; whoever binds it must still expect
 * to lose the race and draw again.
 *
 * @throws `ERR_REDIS_SERVER` when 200 draws find none
 */
export async function findFreePort(host: string, options: { withBus?: boolean } = {}): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = randomInt(FIRST_PORT, LAST_PORT + 1)
    if (!(await isFree(host, port))) continue
    if (options.withBus !== true || (await isFree(host, port + BUS_PORT_OFFSET))) return port
  }
  throw serverError(
    `no free port on ${host} between ${FIRST_PORT} and ${LAST_PORT}: stop some of the processes that listen there`,
  )
}
