type Listener = ((...args: never[]) => void) & { readonly listener?: unknown }

export interface HeldDrain {
  /** In place of those of the emitter. */
  readonly methods: Readonly<Record<string, (event: string | symbol, listener: Listener) => unknown>>
  /** Adds to the emitter who listens by now. */
  release(): void
  /** Tells them, wherever they have got to. */
  tell(): void
}

/**
 * Holds back who listens for `drain`. Middleware in front, such as compression, takes them to a stream of its own at the
 * first byte: an event of the response would not reach them there.
 *
 * @param under calls a method of the emitter itself
 */
export function holdDrain(emitter: object, under: (name: string, ...args: readonly unknown[]) => unknown): HeldDrain {
  const listeners: Listener[] = []
  const add = (name: string) => (event: string | symbol, listener: Listener) => {
    if (event === 'drain') listeners.push(listener)
    else under(name, event, listener)
    return emitter
  }
  const remove = (name: string) => (event: string | symbol, listener: Listener) => {
    // `once` adds a listener of its own that names the given one.
    const at = listeners.findLastIndex(each => each === listener || each.listener === listener)
    if (event === 'drain' && at >= 0) listeners.splice(at, 1)
    else under(name, event, listener)
    return emitter
  }
  return {
    methods: {
      on: add('on'),
      addListener: add('addListener'),
      off: remove('off'),
      removeListener: remove('removeListener'),
    },
    release() {
      for (const listener of listeners) under('on', 'drain', listener)
    },
    tell() {
      for (const listener of listeners) Reflect.apply(listener, emitter, [])
    },
  }
}
