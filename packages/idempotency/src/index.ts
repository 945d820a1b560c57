export type {
  Effect,
  EffectContext,
  EffectOptions,
  Execution,
  LookupAnswer,
  LookupContext,
  OnceOptions,
  Recovery,
} from './effect.ts'
export { ERROR_CODES, IdempotencyError } from './errors.ts'
export type { DoubtReason, Failure, IdempotencyErrorCode, IdempotencyErrorFields, Outcome } from './errors.ts'
export type { EventBase, IdempotencyEvent, Verdict } from './events.ts'
export { idempotencyChannel } from './events.ts'
export type { Guarded, GuardedMethod, GuardMethods, KnownMethods } from './guard.ts'
export { createIdempotency } from './idempotency.ts'
export type { Idempotency } from './idempotency.ts'
export type { JsonValue } from './json.ts'
export type { ListOptions } from './listing.ts'
export type { CallOptions, Known, Order } from './operator.ts'
export type { IdempotencyOptions } from './options.ts'
export type { Grant, Mode, RecordState, RecordView, ResultSource } from './record.ts'
export type { Sweeper, SweeperOptions } from './sweeper.ts'
export type { Swept } from './sweeping.ts'
