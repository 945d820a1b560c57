import { failpoint, registerFailpoints, type FailpointName } from '@safety/redis-core'

declare module '@safety/redis-core' {
  interface FailpointRegistry {
    'trader:before-reserve': true
    'trader:after-reserve': true
    'trader:after-dispatch': true
    'trader:after-answer': true
    'trader:before-record': true
  }
}

registerFailpoints([
  'trader:before-reserve',
  'trader:after-reserve',
  'trader:after-dispatch',
  'trader:after-answer',
  'trader:before-record',
])

/** A place in the life of an order at which tests kill the process. */
export async function killPoint(name: FailpointName): Promise<void> {
  const stop = failpoint(name)
  if (stop) await stop
}
