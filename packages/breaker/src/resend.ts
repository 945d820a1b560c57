import { restand } from './core.ts'
import { DEADLINE_MS, pull } from './link-state.ts'
import type { LinkState, PendingCommand } from './link-state.ts'
import { learnReply, outcomeOf, storeFailed } from './store-health.ts'
import type { StoreReply } from './store.ts'

/** Redis is back: orders and resets that were given meanwhile go there, under the ids they have had from the start. */
export function resend(link: LinkState): void {
  if (link.commands.length > 0 && link.status === 'up') void resendAll(link)
}

async function resendAll(link: LinkState): Promise<void> {
  for (const command of link.commands.splice(0)) {
    if (!(await resendOne(link, command))) return
  }
}

async function resendOne(link: LinkState, command: PendingCommand): Promise<boolean> {
  const { clock } = link.core.options
  if (command.endsMs <= clock.monotonic()) return true
  let reply: StoreReply
  try {
    reply = await sendCommand(link, command)
  } catch (error) {
    command.left ||= outcomeOf(error) === 'unknown'
    link.commands.push(command)
    storeFailed(link, error, clock.monotonic())
    pull(link, clock.monotonic())
    return false
  }
  if (link.core.disposed) return false
  if (reply.code === 'lost') {
    link.commands.push(command)
    pull(link, clock.monotonic())
    return false
  }
  arrived(link, command, reply)
  return true
}

/** Sends one order or reset with the time that is left of it. */
export function sendCommand(link: LinkState, { id, target, by, reason, endsMs }: PendingCommand): Promise<StoreReply> {
  const leftMs = endsMs - link.core.options.clock.monotonic()
  const forMs = target === 'closed' ? 0 : Math.max(1, Math.round(leftMs))
  return link.store.force({ id, target, by, reason, forMs }, DEADLINE_MS)
}

/** Redis has decided about a command: what was held here is now the fleet's, or had been released there. */
export function arrived(link: LinkState, command: PendingCommand, reply: StoreReply): void {
  const { core } = link
  const nowMs = core.options.clock.monotonic()
  learnReply(link, reply, nowMs, { setId: command.id })
  if (reply.code !== 'done') return
  core.held = core.held.filter(({ order, here }) => !here || order.id !== command.id)
  restand(core, nowMs)
  link.plan()
}
