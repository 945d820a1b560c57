/** Wraps a call so that what is due on the timeline runs first. */
export type Guard = <A extends unknown[], R>(call: (...given: A) => R) => (...given: A) => R
