import { firstKnown, known, mapFact } from './fact.ts'
import type { Fact } from './fact.ts'
import type { NodeSubject } from './subject.ts'

/** Whether the append-only file is on. By WAITAOF it can be seen to be off where nothing else is shown. */
export function aofOf({ node, setting }: NodeSubject): Fact<boolean> {
  const shown = mapFact(setting('appendonly', 'aof_enabled'), text =>
    text === 'yes' || text === '1' ? true : text === 'no' || text === '0' ? false : undefined,
  )
  const proven = node.probe?.waitAof
  if (proven?.known !== true) return shown
  return firstKnown<boolean>(
    shown.known && shown.evidence !== 'attested' ? shown : known(proven.value !== 'disabled', 'probe', 'WAITAOF'),
  )
}

/** Whether there are save points. Only CONFIG shows them: INFO counts saves of every kind, failed ones too. */
export function savePoints({ setting }: NodeSubject): Fact<boolean> {
  return mapFact(setting('save'), text => text.trim() !== '')
}
