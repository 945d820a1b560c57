/** `local`: this process alone. `fleet`: shared through Redis. `advisory`: shared, but only a hint. `shadow`: admits all. */
export type BreakerMode = 'local' | 'fleet' | 'advisory' | 'shadow'

export type BreakerState = 'closed' | 'ramping' | 'open' | 'half-open' | 'forced-open' | 'disabled'

/** Who decides about calls: this process's own part, the fleet's, or an operator's order. */
export type BreakerScope = 'process' | 'fleet' | 'operator'
