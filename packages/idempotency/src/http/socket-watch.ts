import type { Socket } from 'node:net'

import { overrideMethods } from './overrides.ts'

/** @returns whether it destroys the socket itself, later */
type Watcher = (error: Error | null | undefined) => boolean

interface Watch {
  readonly watchers: Set<Watcher>
  readonly end: () => void
}

/** One for all pipelined requests of a connection, as they end in any order. */
const watches = new WeakMap<Socket, Watch>()

/** Tells of each `destroy` of a socket before it happens. @returns ends that */
export function watchDestroy(socket: Socket, watcher: Watcher): () => void {
  const watch = watches.get(socket) ?? startWatch(socket)
  watch.watchers.add(watcher)
  return () => {
    watch.watchers.delete(watcher)
    if (watch.watchers.size > 0 || watches.get(socket) !== watch) return
    watches.delete(socket)
    watch.end()
  }
}

function startWatch(socket: Socket): Watch {
  const watchers = new Set<Watcher>()
  const { under, restore } = overrideMethods(socket, {
    destroy(error?: Error | null): unknown {
      const later = [...watchers].filter(watcher => watcher(error))
      return later.length > 0 ? socket : under('destroy', error)
    },
  })
  const watch = { watchers, end: restore }
  watches.set(socket, watch)
  return watch
}
