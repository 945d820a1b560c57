import type { RedisClient } from '@safety/redis-core'

const ERRORS = /^(?:READONLY|NOREPLICAS|MISCONF|OOM|LOADING|CLUSTERDOWN|MASTERDOWN)\b/
const MAX_DEPTH = 5

/** Whether an error says that the state of Redis has changed. Looks through causes; never throws. */
export function tellsOfChange(error: unknown): boolean {
  try {
    let current = error
    for (let depth = 0; depth < MAX_DEPTH && current !== undefined && current !== null; depth++) {
      const { message, redisCode, cause } = current as { message?: unknown; redisCode?: unknown; cause?: unknown }
      if (typeof message === 'string' && ERRORS.test(message)) return true
      if (typeof redisCode === 'string' && ERRORS.test(redisCode)) return true
      current = cause
    }
  } catch {
    // An error whose fields throw tells nothing.
  }
  return false
}

/** Calls `onTrigger` when the client shows that Redis was away or moved. Returns what ends the listening. */
export function listenForTriggers(redis: RedisClient, onTrigger: () => void): () => void {
  let closed = false
  const onClose = (): void => {
    closed = true
  }
  const onReady = (): void => {
    if (closed) onTrigger()
    closed = false
  }
  const listeners: [string, () => void][] = [
    ['close', onClose],
    ['ready', onReady],
    ['+node', onTrigger],
    ['-node', onTrigger],
    ['+switch-master', onTrigger],
  ]
  for (const [event, listener] of listeners) redis.on(event, listener)
  return () => {
    for (const [event, listener] of listeners) redis.removeListener(event, listener)
  }
}
