import { RedisCoreError } from './errors.ts'

/** Names of failpoints, added by each package through declaration merging: `interface FailpointRegistry { 'retry:before-record': true }`. */
// The interface is empty on purpose: it exists to be merged into.
// oxlint-disable-next-line typescript/no-empty-object-type, typescript/no-empty-interface
export interface FailpointRegistry {}

// Nothing has been merged in yet where this package is checked alone.
// oxlint-disable-next-line typescript/no-redundant-type-constituents
export type FailpointName = keyof FailpointRegistry & string

/** What every copy of this module in the process shares, under `Symbol.for('safety.failpoints')` on `globalThis`. */
export interface FailpointState {
  /** Registered names, in the order of registration. */
  readonly names: Set<string>
  /** `SAFETY_FAILPOINTS` as the process was started with; without it nothing can be armed. */
  readonly secret: string | undefined
  /** Called at every failpoint while armed; `null` is off. */
  hook: ((name: string) => void | Promise<void>) | null
}

const STATE = Symbol.for('safety.failpoints')
const NAME = /^[a-z][a-z0-9-]*:[a-z][a-z0-9-]*$/
const shared = globalThis as { [STATE]?: FailpointState }

const state: FailpointState = (shared[STATE] ??= {
  names: new Set(),
  secret: process.env['SAFETY_FAILPOINTS'],
  hook: null,
})

/**
 * Declares the failpoints of a package, so that `failpointNames()` can tell which ones a test never reached.
 *
 * @throws `ERR_REDIS_FAILPOINT` (not retryable) if a name is not `<package>:<place>` in lower case letters, digits and dashes.
 */
export function registerFailpoints(names: readonly FailpointName[]): void {
  for (const name of names as readonly string[]) {
    if (!NAME.test(name)) {
      throw new RedisCoreError(
        'ERR_REDIS_FAILPOINT',
        `failpoint "${name}" is not <package>:<place> in a-z, 0-9 and dashes`,
      )
    }
    state.names.add(name)
  }
}

/** All names registered in this process, in the order of registration. */
export function failpointNames(): readonly string[] {
  return [...state.names]
}

/**
 * A place where a test may stop, stall or kill the process: `const stop = failpoint('x:y'); if (stop) await stop`.
 * Off, it costs one read and one null check. It can only be armed in a process started with `SAFETY_FAILPOINTS=<secret>`.
 */
export function failpoint(name: FailpointName): Promise<void> | undefined {
  const { hook } = state
  return hook === null ? undefined : (hook(name) ?? undefined)
}
