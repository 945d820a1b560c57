import { grantOf } from './engine.ts'
import type { Subject } from './engine.ts'
import { parsePayload } from './payload.ts'
import { parseRecord } from './record.ts'
import type { RecordView } from './record.ts'

/** A record as people see it. @returns undefined for a text of another version */
export function toView(subject: Subject, text: string): RecordView | undefined {
  const record = parseRecord(text)
  if (!record) return undefined
  const payload = parsePayload(record.payload)
  const final = record.state === 'done' || record.state === 'failed' || record.state === 'not-run'
  const { body, failure, reason, memo, by, why } = payload
  return {
    ...grantOf(subject, record),
    effect: subject.place.effect,
    state: record.state,
    mode: record.mode,
    conflicts: record.conflicts,
    bornAtMs: record.bornAtMs,
    leaseEndsAtMs: record.leaseEndsAtMs,
    settlesAtMs: record.settlesAtMs,
    ...(final ? { source: record.source } : {}),
    ...(record.state === 'done' && body.kind === 'value' ? { value: body.value } : {}),
    ...(failure === undefined ? {} : { failure }),
    ...(reason === undefined ? {} : { reason }),
    ...(memo === undefined ? {} : { memo }),
    ...(by === undefined ? {} : { by }),
    ...(why === undefined ? {} : { why }),
  }
}
