import type { MissingFact, Origin } from './fact.ts'
import type { Data, Evidence, SkipReason, UnknownBecause } from './report.ts'

export interface Remedy {
  text: string
  /** To be typed as it stands; `redis-cli` gets the address of a node, and how to log in there. */
  command?: string
  /** The node the command goes to. @default the node the finding is about */
  node?: string
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

/** The remedy of a check ends what it found; where nothing was found, the remedy is to see. */
const TO_SEE: Record<UnknownBecause, Remedy> = {
  refused: { text: 'Allow this user to read it, or vouch for the setting in expect.attest.' },
  'not-shown': { text: 'Look it up where the service is set up, and vouch for the setting in expect.attest.' },
  timeout: { text: 'Run it again when the node answers, with a longer timeout if it is only slow.' },
  unreachable: { text: 'Run it again when the node answers.' },
  crashed: { text: 'Report it with the output of --json.' },
}

export function remedyToSee(because: UnknownBecause): Remedy {
  return TO_SEE[because]
}

/** A finding that stands on a missing fact. */
export function unknown(fact: MissingFact, remedy?: Remedy): Finding {
  const message = `Could not be read: ${fact.detail.replace(/\.$/, '')}. Unknown never counts as pass.`
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
