import { createChannel } from './channel.ts'
import type { Channel } from './channel.ts'
import type { RedisCoreEvent } from './events.ts'

const channel: Channel<RedisCoreEvent> = createChannel('redis-core')

/** Emits one event of this package, if anyone listens. */
export const emit: (make: () => RedisCoreEvent) => void = channel.emitter()
