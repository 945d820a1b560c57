/** `effect`: calls with a meaning. `worker`: blocking reads. `subscriber`: listens. */
export type ClientRole = 'effect' | 'worker' | 'subscriber'
