import type { Mode, RecordState, ResultSource } from './record.ts'

/** Where one record lives. Opaque outside `redis/`, but for the texts people see. */
export interface Place {
  readonly effect: string
  /** The key as one key part; above 128 escaped bytes `~` and its digest. */
  readonly part: string
  /** Two hexadecimal digits: 128 slot tags, so that a record and its bucket share a slot. */
  readonly tag: string
}

/** What every reply starts with: a tag, server time, and the bucket's counter after a write (0 when nothing was written). */
export interface Head<Tag extends string> {
  readonly tag: Tag
  readonly nowMs: number
  readonly counter: number
}

/** A record no known version of this package wrote. */
export type FormatReply = Head<'FORMAT'>

export type ClaimReply =
  | (Head<'OWN'> & {
      readonly fence: number
      readonly attempt: number
      readonly how: 'fresh' | 'again' | 'retry' | 'takeover'
      /** Since this bucket was marked as having lost writes; -1 if it never was. */
      readonly lossAgeMs: number
      /** The stricter of the stored and the given mode; undefined: nothing was stored, the given one holds. */
      readonly mode: Mode | undefined
      /** How old the "not run" is that the claim follows; since 1970 if it follows none. Not for `fresh`. */
      readonly closedAgeMs: number
    })
  | (Head<'D' | 'F'> & {
      readonly fence: number
      readonly attempt: number
      readonly by: ResultSource
      readonly payload: string
    })
  | (Head<'BUSY'> & { readonly leaseLeftMs: number })
  | (Head<'U'> & {
      readonly fence: number
      readonly settleInMs: number
      readonly attempt: number
      readonly mode: Mode
      readonly payload: string
    })
  | (Head<'MISMATCH'> & { readonly state: RecordState })
  | (Head<'ENDED'> & { readonly state: RecordState })
  | Head<'LATE'>
  | FormatReply

export type RenewReply =
  | (Head<'OK'> & { readonly how: 'renewed' | 'recreated' })
  | (Head<'LOST'> & { readonly state: RecordState })
  | FormatReply

export type FinishReply =
  | (Head<'OK'> & { readonly how: 'first' | 'late' | 'overturned' | 'again' | 'recreated' })
  | (Head<'SUPERSEDED'> & {
      readonly state: RecordState
      readonly fence: number
      readonly attempt: number
      readonly by: ResultSource
      readonly payload: string
    })
  | FormatReply

export type AbandonReply = Head<'OK'> | FormatReply

export type ReconcileReply =
  | (Head<'RECON'> & {
      readonly fence: number
      readonly settleInMs: number
      readonly attempt: number
      readonly mode: Mode
      /** How long the key has been in doubt. */
      readonly ageMs: number
      /** State before this script. */
      readonly was: RecordState
      /** Of the attempt in doubt. */
      readonly token: string
      readonly payload: string
    })
  | (Head<'LAPSED'> & { readonly fence: number; readonly attempt: number; readonly token: string })
  | (Head<'NO'> & {
      /** undefined: there is no record. */
      readonly state: RecordState | undefined
      /** Left of the lease that is in the way; 0 if none is. */
      readonly leftMs: number
    })
  | FormatReply

export type ResolveReply =
  | (Head<'OK'> & { readonly how: 'first' | 'again'; readonly ageMs: number })
  | (Head<'EARLY'> & { readonly settleInMs: number })
  | (Head<'STALE'> & { readonly state: RecordState | undefined })
  | FormatReply

export type DecideReply =
  | (Head<'OK'> & {
      readonly how: 'first' | 'created' | 'overturned' | 'again'
      /** How long the key had been in doubt. */
      readonly ageMs: number
      /** The whole record after the verdict. */
      readonly record: string
    })
  | (Head<'REFUSED'> & { readonly state: RecordState; readonly leftMs: number })
  | Head<'NONE'>
  | FormatReply

/** States as the store writes them: done, failed, not run, in doubt. */
export type FinalLetter = 'D' | 'F' | 'N'
export type EndLetter = FinalLetter | 'U'

export interface ClaimInput {
  readonly token: string
  readonly fingerprint: string
  readonly mode: Mode
  /** JSON, or empty for none. */
  readonly memoText: string
  readonly leaseMs: number
  readonly keepMs: number
  readonly settleMs: number
}

export interface RenewInput extends ClaimInput {
  readonly fence: number
  readonly attempt: number
}

export interface FinishInput {
  readonly token: string
  readonly fence: number
  readonly attempt: number
  readonly fingerprint: string
  readonly mode: Mode
  readonly to: EndLetter
  readonly payload: string
  readonly keepMs: number
  readonly settleMs: number
  /** Milliseconds since the settle time of a doubt began; -1 counts it from the end of the lease. */
  readonly settledMs: number
}

export interface SendOptions {
  readonly deadlineMs: number
  readonly signal?: AbortSignal | undefined
  readonly durability?: { readonly replicas: number; readonly timeoutMs: number } | undefined
}

/** A reply and when, on the monotonic clock, its command left and it came. */
export interface Answer<R> {
  readonly reply: R
  readonly sentAtMs: number
  readonly receivedAtMs: number
  /** Replicas that confirmed; undefined unless asked for. */
  readonly replicas: number | undefined
  /** Monotonic; when the server's clock was last seen to have jumped forward. Leases lapse early then. */
  readonly jumpedAtMs: number | undefined
  /** Since this process itself noticed a loss in the bucket, which counts even if it could not be marked; -1 if it never did. */
  readonly ownLossAgeMs: number
}

/** What the engine needs of shared state. Every call settles by its deadline and may be repeated as it is. */
export interface Store {
  place(effect: string, key: string): Place
  readonly effectId: (place: Place) => string
  claim(place: Place, input: ClaimInput, options: SendOptions): Promise<Answer<ClaimReply>>
  renew(place: Place, input: RenewInput, options: SendOptions): Promise<Answer<RenewReply>>
  finish(place: Place, input: FinishInput, options: SendOptions): Promise<Answer<FinishReply>>
  abandon(
    place: Place,
    input: { token: string; mode: Mode; keepMs: number },
    options: SendOptions,
  ): Promise<Answer<AbandonReply>>
  reconcile(
    place: Place,
    input: { rtoken: string; mode: Mode; leaseMs: number; keepMs: number },
    options: SendOptions,
  ): Promise<Answer<ReconcileReply>>
  resolve(
    place: Place,
    input: { rtoken: string; fence: number; to: EndLetter; payload: string; keepMs: number; nextMs: number },
    options: SendOptions,
  ): Promise<Answer<ResolveReply>>
  decide(
    place: Place,
    input: {
      kind: 'confirm' | 'resolve' | 'release'
      id: string
      to: FinalLetter
      payload: string
      force: boolean
      keepMs: number
    },
    options: SendOptions,
  ): Promise<Answer<DecideReply>>
  /** One record's text; undefined if there is none. */
  read(place: Place, options: SendOptions): Promise<string | undefined>
  /** Open records of one bucket whose time has come. */
  due(tag: string, limit: number, options: SendOptions): Promise<readonly Place[]>
  /** The open records of one bucket, as they are at one moment; longest due first. */
  open(tag: string, options: SendOptions): Promise<readonly Place[]>
  /** Every record there is, by SCAN over all masters; may repeat one. */
  scan(effect: string | undefined, options: SendOptions): AsyncIterable<Place>
  /** All buckets. */
  readonly tags: readonly string[]
  close(): void
}
