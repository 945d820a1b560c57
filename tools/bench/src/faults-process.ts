import { systemClock } from '@safety/redis-core'
import type { Clock } from '@safety/redis-core'
import type { Redis } from 'ioredis'

/** A worker process, as far as a guard can tell: it may freeze, and it may die. */
export interface WorkerProcess {
  /** Its clock: nothing set on it fires while it is frozen, and nothing ever again once it is dead. */
  readonly clock: Clock
  freeze(ms: number): Promise<void>
  /** @returns a promise that never settles, for whoever was running in it */
  die(): Promise<never>
}

/** One process simulated in this one: all that a guard does by itself, it does through its clock. */
export function createProcess(): WorkerProcess {
  const pending = new Set<{ cancel(): void }>()
  let dead = false
  let frozenUntilMs = 0

  function setTimer(run: () => void, delayMs: number, options?: { ref?: boolean }): { cancel(): void } {
    if (dead) return { cancel: () => undefined }
    let timer = systemClock.setTimeout(fire, delayMs, options)
    const handle = {
      cancel(): void {
        timer.cancel()
        pending.delete(handle)
      },
    }
    function fire(): void {
      const leftMs = frozenUntilMs - systemClock.monotonic()
      if (leftMs > 0) {
        timer = systemClock.setTimeout(fire, leftMs, options)
        return
      }
      pending.delete(handle)
      run()
    }
    pending.add(handle)
    return handle
  }

  return {
    clock: {
      now: () => systemClock.now(),
      monotonic: () => systemClock.monotonic(),
      sleep: delayMs => new Promise(resolve => void setTimer(resolve, delayMs)),
      setTimeout: setTimer,
    },
    freeze(ms) {
      frozenUntilMs = systemClock.monotonic() + ms
      return systemClock.sleep(ms)
    },
    die() {
      dead = true
      for (const handle of pending) handle.cancel()
      return Promise.withResolvers<never>().promise
    },
  }
}

const COMMANDS: ReadonlySet<PropertyKey> = new Set(['eval', 'evalsha', 'get', 'set', 'del'])

/** A client that loses the replies of a share of its commands, and sends those again. */
export function withLostReplies(redis: Redis, share: number, random: () => number): Redis {
  return new Proxy(redis, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      if (!COMMANDS.has(name)) return value.bind(target) as unknown
      return (...args: unknown[]): unknown => {
        const send = (): unknown => Reflect.apply(value, target, args)
        if (random() >= share) return send()
        void Promise.resolve(send()).catch(() => undefined)
        return send()
      }
    },
  })
}
