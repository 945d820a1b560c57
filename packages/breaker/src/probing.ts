import { createToken, failpoint, registerFailpoints } from '@safety/redis-core'

import { tellFact } from './core.ts'
import type { FleetSlot } from './fleet-link.ts'
import { DEADLINE_MS, pull } from './link-state.ts'
import type { Delivery, LinkState } from './link-state.ts'
import type { ProbeVerdict } from './own-part.ts'
import { learnReply, storeFailed } from './store-health.ts'
import type { StoreReply } from './store.ts'

declare module '@safety/redis-core' {
  interface FailpointRegistry {
    'breaker:probe-granted': true
    'breaker:before-result': true
  }
}
registerFailpoints(['breaker:probe-granted', 'breaker:before-result'])

/** So that a fleet does not ask as one when a lease ends. */
const LATER_JITTER_MS = 25

/** ms until this process may ask for a probe; null while it is asking. */
export function askInMs(link: LinkState, nowMs: number): number | null {
  return link.asking ? null : Math.max(0, link.askFromMs - nowMs)
}

/** Asks Redis for one probe. Null: this call is none; what the reply told has been adopted. Never rejects. */
export async function askForProbe(link: LinkState): Promise<FleetSlot | null> {
  const { core } = link
  const { clock, random } = core.options
  link.asking = true
  link.token ??= createToken(random)
  const { token } = link
  let reply: StoreReply
  try {
    reply = await link.store.probe(token, core.fleet?.epoch ?? 0, DEADLINE_MS)
  } catch (error) {
    storeFailed(link, error, clock.monotonic())
    pull(link, clock.monotonic())
    return null
  } finally {
    link.asking = false
  }
  const nowMs = clock.monotonic()
  learnReply(link, reply, nowMs)
  if (reply.code === 'later') link.askFromMs = nowMs + (reply.untilMs - reply.nowMs) + random.float() * LATER_JITTER_MS
  if (reply.code === 'lost') pull(link, nowMs)
  if (reply.code !== 'granted') return null
  link.token = null
  return granted(link, { token, epoch: reply.epoch, endsMs: nowMs + core.options.halfOpen.leaseMs })
}

async function granted(link: LinkState, slot: FleetSlot): Promise<FleetSlot | null> {
  link.slots.add(slot)
  const stop = failpoint('breaker:probe-granted')
  if (stop) await stop
  if (!link.core.disposed) return slot
  settleProbe(link, slot, 'void', 0)
  return null
}

/** Tells Redis the verdict, in the background; the call itself does not wait. */
export function settleProbe(link: LinkState, slot: FleetSlot, verdict: ProbeVerdict, durationMs: number): void {
  void deliverVerdict(link, { slot, verdict, durationMs })
}

/** As `settleProbe`, to wait for. Never rejects. A second verdict on one slot changes nothing. */
export async function deliverVerdict(link: LinkState, delivery: Delivery): Promise<void> {
  if (link.slots.delete(delivery.slot)) await send(link, delivery)
}

async function send(link: LinkState, delivery: Delivery): Promise<void> {
  const { clock } = link.core.options
  const { slot, verdict } = delivery
  let reply: StoreReply
  try {
    const stop = failpoint('breaker:before-result')
    if (stop) await stop
    reply = await link.store.result({ token: slot.token, epoch: slot.epoch, verdict }, DEADLINE_MS)
  } catch (error) {
    const nowMs = clock.monotonic()
    storeFailed(link, error, nowMs)
    pull(link, nowMs)
    link.undelivered.push(delivery)
    return
  }
  const [passed] = reply.counts
  tellProbed(link, delivery, reply.code === 'late', passed)
  learnReply(link, reply, clock.monotonic())
}

function tellProbed({ core }: LinkState, { verdict, durationMs }: Delivery, late: boolean, passed: number): void {
  if (core.disposed) return
  const needed = core.options.halfOpen.successes
  tellFact(core, () => ({ type: 'probed', result: verdict, late, durationMs, passed, needed }))
}

/** Redis is back: verdicts that did not arrive go again while their slots last; the rest came too late. */
export function redeliver(link: LinkState, nowMs: number): void {
  for (const delivery of link.undelivered.splice(0)) {
    if (delivery.slot.endsMs > nowMs) void send(link, delivery)
    else tellProbed(link, delivery, true, 0)
  }
}
