import type { Random } from '../../random.ts'
import type { Pace } from './lane.ts'
import type { FaultAction } from './rule.ts'
import type { Wire } from './wire.ts'

const THROTTLE_TICK_MS = 10

function throttlePace(bytesPerSecond: number): Pace {
  const bytes = Math.floor((bytesPerSecond * THROTTLE_TICK_MS) / 1000)
  return bytes >= 1
    ? { kind: 'slice', bytes, everyMs: THROTTLE_TICK_MS }
    : { kind: 'slice', bytes: 1, everyMs: 1000 / bytesPerSecond }
}

function corrupt(message: Buffer, at: number | undefined, random: Random): Buffer {
  const offset = Math.min(at ?? Math.floor(random.float() * message.length), message.length - 1)
  const changed = Buffer.from(message)
  // XOR with 1..255: always another byte.
  changed[offset] = (changed[offset] as number) ^ (1 + Math.floor(random.float() * 255))
  return changed
}

/** Everything but `error`, which concerns the pairing of replies and not the bytes. */
export type WireAction = Exclude<FaultAction, { kind: 'error' }>

/** Sends, delays, changes or loses one message of one direction, as the action says. */
export function act(
  wire: Wire,
  direction: 'request' | 'reply',
  message: Buffer,
  action: WireAction,
  random: Random,
): void {
  const lane = direction === 'request' ? wire.requests : wire.replies
  switch (action.kind) {
    case 'pass':
      return lane.push(message)
    case 'delay':
      return lane.push(message, { kind: 'delay', ms: action.ms + (action.jitterMs ?? 0) * random.float() })
    case 'hold':
      return lane.push(message, { kind: 'hold' })
    case 'slice':
      return lane.push(message, { kind: 'slice', bytes: action.bytes, everyMs: action.everyMs ?? 1 })
    case 'throttle':
      return lane.push(message, throttlePace(action.bytesPerSecond))
    case 'corrupt':
      return lane.push(message.length === 0 ? message : corrupt(message, action.at, random))
    case 'truncate':
      lane.push(message.subarray(0, action.bytes))
      return lane.seal(() => wire.reset())
    case 'drop-request':
    case 'drop-reply':
      return lane.seal(() => wire.end(lane, action.then ?? 'reset'))
    case 'reset':
      return lane.seal(() => wire.reset())
    case 'fin':
      return lane.seal(() => wire.finish())
    case 'silence':
      return lane.seal(() => wire.silence())
    case 'half-open':
      return lane.seal(() => wire.halfOpen())
  }
}
