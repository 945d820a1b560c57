import type { JsonValue } from './json.ts'

/** Who decides after a lapse: anyone may run again, a lookup, or a person. */
export type Mode = 'repeat' | 'reconcile' | 'manual'

export type RecordState = 'running' | 'done' | 'failed' | 'not-run' | 'in-doubt' | 'reconciling'

/** Where a recorded outcome comes from: the executor itself, a lookup, outside evidence, or a person. */
export type ResultSource = 'executor' | 'lookup' | 'confirmed' | 'operator'

/** Names one attempt: pass `effectId` and `fence` on to the receiver. */
export interface Grant {
  /** The key as it is stored and shown: above 128 escaped bytes `~` and its digest. */
  readonly key: string
  /** 26 characters `[a-z2-7]`, the same on every attempt at this intent. */
  readonly effectId: string
  /** Rises with every grant of this key, server microseconds; 0 for a run without the store's protection. */
  readonly fence: number
  /** From 1; 0 if nothing was ever granted. */
  readonly attempt: number
}

/** One record as people and tools see it. Times are server time, epoch milliseconds. */
export interface RecordView extends Grant {
  readonly effect: string
  readonly state: RecordState
  readonly mode: Mode
  /** Outcomes that arrived from attempts whose claim had been taken over. */
  readonly conflicts: number
  readonly bornAtMs: number
  readonly leaseEndsAtMs: number
  /** From here on a lookup's "not there" is a verdict. */
  readonly settlesAtMs: number
  readonly source?: ResultSource
  readonly value?: JsonValue
  readonly failure?: JsonValue
  readonly reason?: string
  readonly memo?: JsonValue
  readonly by?: string
  readonly why?: string
}

export const STATE_LETTERS: Readonly<Record<RecordState, string>> = {
  running: 'C',
  done: 'D',
  failed: 'F',
  'not-run': 'N',
  'in-doubt': 'U',
  reconciling: 'R',
}

export const MODE_LETTERS: Readonly<Record<Mode, string>> = { repeat: 'r', reconcile: 'c', manual: 'm' }

export const SOURCE_LETTERS: Readonly<Record<ResultSource, string>> = {
  executor: 'x',
  lookup: 'r',
  confirmed: 'c',
  operator: 'o',
}

function byLetter<Name extends string>(letters: Readonly<Record<Name, string>>): (letter: string) => Name {
  const names = new Map(Object.entries<string>(letters).map(([name, letter]) => [letter, name as Name]))
  return letter => {
    const name = names.get(letter)
    if (name === undefined) throw new RangeError('a letter this version does not know')
    return name
  }
}

export const stateOf: (letter: string) => RecordState = byLetter(STATE_LETTERS)
export const modeOf: (letter: string) => Mode = byLetter(MODE_LETTERS)
export const sourceOf: (letter: string) => ResultSource = byLetter(SOURCE_LETTERS)

const STRICTNESS: Readonly<Record<Mode, number>> = { repeat: 0, reconcile: 1, manual: 2 }

/** The mode that holds when a record was written under one and is met under another. */
export function stricterMode(a: Mode, b: Mode): Mode {
  return STRICTNESS[a] >= STRICTNESS[b] ? a : b
}

/** A record's text, taken apart. */
export interface ParsedRecord {
  readonly state: RecordState
  readonly token: string
  readonly fence: number
  readonly leaseEndsAtMs: number
  readonly attempt: number
  readonly settlesAtMs: number
  readonly mode: Mode
  /** Token of the reconciler, or id of the verdict. */
  readonly verdict: string
  readonly conflicts: number
  readonly source: ResultSource
  readonly fingerprint: string
  readonly bornAtMs: number
  readonly payload: string
}

const RECORD =
  /^1\|([CDFNUR])\|([^|]*)\|(\d+)\|(\d+)\|(\d+)\|(\d+)\|([rcm])\|([^|!]*)[^|]*\|\d+\|(\d+)\|([xrco])\|([^|]*)\|(\d+)\|(.*)$/s

/** @returns undefined for a text that no known version of this package wrote */
export function parseRecord(text: string): ParsedRecord | undefined {
  const match = RECORD.exec(text)
  if (!match) return undefined
  const [, state, token, fence, lease, attempt, settle, mode, verdict, conflicts, by, fingerprint, born, payload] =
    match as unknown as string[]
  return {
    state: stateOf(state as string),
    token: token as string,
    fence: Number(fence),
    leaseEndsAtMs: Number(lease),
    attempt: Number(attempt),
    settlesAtMs: Number(settle),
    mode: modeOf(mode as string),
    verdict: verdict as string,
    conflicts: Number(conflicts),
    source: sourceOf(by as string),
    fingerprint: fingerprint as string,
    bornAtMs: Number(born),
    payload: payload as string,
  }
}
