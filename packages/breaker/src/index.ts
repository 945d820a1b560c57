export type { BreakerCall } from './attempt.ts'
export type { Abort, Breaker } from './breaker.ts'
export { createBreaker } from './breaker.ts'
export type { BreakerMode, BreakerScope, BreakerState } from './breaker-state.ts'
export type { BreakerOverrides, Breakers, BreakersDefaults } from './breakers.ts'
export { createBreakers } from './breakers.ts'
export {
  BreakerDisposedError,
  BreakerHeldError,
  BreakerLimitError,
  BreakerOpenError,
  BreakerOptionsError,
  BreakerStoreError,
  BreakerTimeoutError,
  isBreakerOpenError,
} from './errors.ts'
export type { BreakerErrorOutcome } from './errors.ts'
export type {
  BreakerEvent,
  BreakerLimits,
  DegradedEvent,
  ErrorCount,
  ForcedEvent,
  HookFailedEvent,
  OpenedEvent,
  OtherConfigEvent,
  OverrideEndedEvent,
  OverrideSetEvent,
  ProbedEvent,
  RecoveredEvent,
  RecoveryEvent,
  RejectedEvent,
  ReseededEvent,
} from './events.ts'
export type { BreakerRecord } from './history.ts'
export type { BreakerOptions, CoolOff, FastWindow, HalfOpen, LongWindow, Quorum, Ramp, SlowCall } from './options.ts'
export type { OverrideReceipt } from './override.ts'
export type { BreakerSnapshot, WindowCounts } from './snapshot.ts'
export type { OverrideOrder, Who } from './who.ts'
