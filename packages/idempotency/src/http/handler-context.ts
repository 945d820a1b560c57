import { AsyncLocalStorage } from 'node:async_hooks'

/** Connections and timers that a handler makes keep this as long as they live: it must not keep the response alive. */
const handlers = new AsyncLocalStorage<WeakRef<object>>()

/** Runs the handler of a response, so that what it does, then or later, can be told from what the server does by itself. */
export function runHandler(response: object, handler: () => void): void {
  handlers.run(new WeakRef(response), handler)
}

/**
 * Whether this is called by the handler of this response, in whatever way it came here. Only a library that loses the
 * asynchronous context of its callers hides that.
 */
export function isInHandler(response: object): boolean {
  return handlers.getStore()?.deref() === response
}
