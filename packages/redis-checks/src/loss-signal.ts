/** A reason to suspect that records were lost, and how much. */
export interface LossSignal {
  readonly node: string
  readonly signal: 'marker-gone' | 'marker-replaced' | 'marker-behind' | 'restarted' | 'master-changed' | 'flushed'
  readonly suspected: string
  /** Its hold-off is over: single ownership is restored, lost records are not. */
  readonly past?: boolean
}
