import { timingSafeEqual, createHash } from 'node:crypto'
import { RedisCoreError } from '../errors.ts'
import { failpointNames, type FailpointState } from '../failpoints.ts'

const STATE = Symbol.for('safety.failpoints')

function readState(): FailpointState {
  failpointNames() // the module that owns the state has been evaluated
  return (globalThis as unknown as { [STATE]: FailpointState })[STATE]
}

function isSame(left: string, right: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(left), digest(right))
}

/**
 * Calls `hook` at every failpoint of this process until the result is disposed of. `hit` counts the visits of that name
 * since arming, from 1. Code at the failpoint waits for a promise that the hook returns, and an error of the hook is thrown
 * there.
 *
 * @param options.secret must be what the process was started with as `SAFETY_FAILPOINTS`
 * @throws `ERR_REDIS_FAILPOINT` (no retry helps) when the process was started without a secret, with another one, or is
 * armed already
 */
export function armFailpoints(options: {
  secret: string
  hook: (name: string, hit: number) => void | Promise<void>
}): Disposable {
  const state = readState()
  if (state.secret === undefined || state.secret === '') {
    throw new RedisCoreError(
      'ERR_REDIS_FAILPOINT',
      'failpoints cannot be armed: start the process with SAFETY_FAILPOINTS set to the secret',
    )
  }
  if (!isSame(state.secret, options.secret)) {
    throw new RedisCoreError(
      'ERR_REDIS_FAILPOINT',
      'failpoints cannot be armed: the secret is not the one the process was started with',
    )
  }
  if (state.hook !== null) {
    throw new RedisCoreError('ERR_REDIS_FAILPOINT', 'failpoints are armed already: dispose of the earlier result first')
  }
  const hits = new Map<string, number>()
  const hook = (name: string): void | Promise<void> => {
    const hit = (hits.get(name) ?? 0) + 1
    hits.set(name, hit)
    return options.hook(name, hit)
  }
  state.hook = hook
  return {
    [Symbol.dispose]() {
      if (state.hook === hook) state.hook = null
    },
  }
}
