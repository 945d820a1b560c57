/** Conditions a person should hear about, as in the list of alerts. */
export type AlertName =
  | 'AccountReset'
  | 'Banned'
  | 'BreakerOpen'
  | 'Configuration'
  | 'Drift'
  | 'DuplicateOrder'
  | 'ForeignOrder'
  | 'Orphan'
  | 'Overturned'
  | 'RedisUnsafe'
  | 'SymbolStopped'
  | 'UnknownStuck'
  | 'Unreadable'
  | 'UserStreamSilent'

/** Everything a worker tells the outside, in the order it happened. Ids name intents; nothing here is a secret. */
export type TraderEvent =
  | { readonly type: 'ready' }
  | { readonly type: 'invoke'; readonly op: string; readonly key: string; readonly fp: string }
  | {
      readonly type: 'request'
      readonly op: string
      readonly key: string
      readonly attempt: number
      readonly signedAtMs: number
    }
  | {
      readonly type: 'return'
      readonly op: string
      readonly key: string
      readonly outcome: 'ran' | 'not-run' | 'unknown' | 'busy' | 'mismatch'
      readonly value?: string
      readonly replayed?: boolean
      readonly recorded?: boolean
      readonly code?: string
    }
  | Transition
  | {
      readonly type: 'alert'
      readonly alert: AlertName
      readonly key?: string
      readonly symbol?: string
      readonly detail: string
    }
  | { readonly type: 'notice'; readonly notice: string; readonly detail: string }
  | { readonly type: 'error'; readonly reason: string; readonly detail: string }
  | { readonly type: 'status'; readonly series: number }
  | { readonly type: 'drained' }
  | { readonly type: 'stopped'; readonly open: number }

/** An intent moved. */
export interface Transition {
  readonly type: 'transition'
  readonly key: string
  readonly symbol: string
  readonly side: string
  readonly from: string | null
  readonly to: string
  readonly reason?: string
  /** Who brought the news: answer, stream, lookup, reconcile, record. */
  readonly by: string
  readonly orderId?: string
  /** Of the request, or of the doubt that ended. */
  readonly afterMs?: number
}

export type Report = (event: TraderEvent) => void

/** The code of an error, or its name: from closed sets, and never its text. */
export function reasonOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return 'unknown'
  if ('code' in error && typeof error.code === 'string') return error.code
  return error instanceof Error ? error.name : 'unknown'
}

/** The first line of an error's message; the packages keep keys and payloads out of theirs. */
export function detailOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? ''
}
