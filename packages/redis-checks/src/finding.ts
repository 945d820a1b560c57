import type { MissingFact, Origin } from './fact.ts'
import type { Data, Evidence, SkipReason, UnknownBecause } from './report.ts'

export interface Remedy {
  text: string
  /** To be typed as it stands; `redis-cli` gets the node's address. */
  command?: string
}

/** What may differ from the check's own texts. */
export interface FindingExtra {
  readonly expected?: string
  readonly remedy?: Remedy
  readonly data?: Data
}

export interface LevelFinding extends FindingExtra {
  readonly kind: 'level'
  readonly level: 'pass' | 'info' | 'warn' | 'fail'
  readonly observed: string
  readonly message: string
  readonly evidence: Evidence
  readonly source: string
}

/** What a check found before caps and acknowledgements. */
export type Finding =
  | LevelFinding
  | {
      readonly kind: 'unknown'
      readonly because: UnknownBecause
      readonly observed: string
      readonly message: string
      readonly source: string
      readonly remedy?: Remedy
    }
  | { readonly kind: 'skip'; readonly reason: SkipReason; readonly detail: string }

const OPTIONS: Origin = { evidence: 'options', source: 'client options' }

export function pass(from: Origin, observed: string, extra: FindingExtra = {}): Finding {
  return level('pass', from, observed, 'Not disproved.', extra)
}

export function info(from: Origin, observed: string, message: string, extra: FindingExtra = {}): Finding {
  return level('info', from, observed, message, extra)
}

export function warn(from: Origin, observed: string, message: string, extra: FindingExtra = {}): Finding {
  return level('warn', from, observed, message, extra)
}

export function fail(from: Origin, observed: string, message: string, extra: FindingExtra = {}): Finding {
  return level('fail', from, observed, message, extra)
}

export function skip(reason: SkipReason, detail: string): Finding {
  return { kind: 'skip', reason, detail }
}

/** A finding that stands on a missing fact. */
export function unknown(fact: MissingFact, remedy?: Remedy): Finding {
  const message = `Could not be read: ${fact.detail}. Unknown never counts as pass.`
  return {
    kind: 'unknown',
    because: fact.because,
    observed: fact.detail,
    message,
    source: fact.source,
    ...(remedy === undefined ? {} : { remedy }),
  }
}

/** A finding about an option of the client. */
export function byOption(source: string): Origin {
  return { ...OPTIONS, source: `options.${source}` }
}

function level(
  level: LevelFinding['level'],
  { evidence, source }: Origin,
  observed: string,
  message: string,
  extra: FindingExtra,
): Finding {
  return { kind: 'level', level, observed, message, evidence, source, ...extra }
}
