import { registerFailpoints } from '@safety/redis-core'
import type { FailpointName } from '@safety/redis-core'

declare module '@safety/redis-core' {
  interface FailpointRegistry {
    'idempotency:before-claim': true
    'idempotency:after-claim': true
    'idempotency:before-effect': true
    'idempotency:after-effect': true
    'idempotency:before-finish': true
    'idempotency:after-finish': true
    'idempotency:before-renew': true
    'idempotency:after-renew': true
    'idempotency:before-lookup': true
    'idempotency:after-lookup': true
    'idempotency:before-resolve': true
    'idempotency:after-resolve': true
  }
}

/** Every place where a test may stop, stall or kill this package. */
export const IDEMPOTENCY_FAILPOINTS: readonly FailpointName[] = [
  'idempotency:before-claim',
  'idempotency:after-claim',
  'idempotency:before-effect',
  'idempotency:after-effect',
  'idempotency:before-finish',
  'idempotency:after-finish',
  'idempotency:before-renew',
  'idempotency:after-renew',
  'idempotency:before-lookup',
  'idempotency:after-lookup',
  'idempotency:before-resolve',
  'idempotency:after-resolve',
]

registerFailpoints(IDEMPOTENCY_FAILPOINTS)
