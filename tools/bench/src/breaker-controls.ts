import { cockatielSampling, opossumDefaults, ours } from './breaker-peers.ts'
import type { Contender } from './breaker-peers.ts'

/** What one breaker does where others are known to fail. */
export interface Control {
  readonly control: string
  readonly contender: string
  /** What happened. */
  readonly seen: string
  readonly good: boolean
}

const RESET_MS = 50
const LEASE_MS = 150
const PATIENCE_MS = 500

const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
const ignore = (): undefined => undefined

/** Ours has to be good in each; that a peer is not shows that the control can fail. */
export async function runControls(): Promise<Control[]> {
  const contenders = (): Contender[] => [
    ours('ours', { coolOff: { baseMs: RESET_MS, jitter: 0 }, halfOpen: { leaseMs: LEASE_MS }, ramp: false }),
    opossumDefaults({ resetTimeout: RESET_MS, timeout: false }),
    cockatielSampling(RESET_MS),
  ]
  const controls: Control[] = []
  for (const contender of contenders()) {
    controls.push(await hungProbe(contender))
    contender.end()
  }
  for (const contender of contenders()) {
    controls.push(await callBesideProbe(contender))
    contender.end()
  }
  return controls
}

async function openAndWait({ run }: Contender): Promise<void> {
  for (let n = 0; n < 200; n += 1) await run(() => Promise.reject(new Error('down'))).catch(ignore)
  await pause(RESET_MS + 20)
}

/** The probe never ends. Does the breaker ever try again? */
async function hungProbe(contender: Contender): Promise<Control> {
  await openAndWait(contender)
  void contender.run(() => new Promise(() => {})).catch(ignore)
  await pause(LEASE_MS + 20)
  let ran = false
  const next = contender.run(async () => (ran = true)).catch(ignore)
  await Promise.race([next, pause(PATIENCE_MS)])
  return {
    control: 'after a hung probe another call is tried',
    contender: contender.name,
    seen: ran ? 'tried' : 'never',
    good: ran,
  }
}

/** A probe is under way. Does another call end at once? */
async function callBesideProbe(contender: Contender): Promise<Control> {
  await openAndWait(contender)
  void contender.run(() => pause(PATIENCE_MS)).catch(ignore)
  const other = contender
    .run(async () => 'ran')
    .then(
      () => 'ran as well',
      () => 'rejected at once',
    )
  const seen = await Promise.race([other, pause(LEASE_MS / 3).then(() => 'waits for the probe')])
  return {
    control: 'beside a probe a call is rejected at once',
    contender: contender.name,
    seen,
    good: seen === 'rejected at once',
  }
}
