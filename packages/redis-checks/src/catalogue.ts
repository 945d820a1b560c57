import { checks } from './catalogue.gen.ts'
import { parseCaps } from './level.ts'
import type { Cap, Profile } from './level.ts'
import type { Guarantee } from './report.ts'

/** One check, as documentation and tools see it. */
export interface CatalogueEntry {
  id: string
  group: string
  title: string
  why: string
  remedy: string
  guarantees: Guarantee[]
  /** The highest level it may reach, by profile. */
  caps: Record<Profile, Cap>
  blocking: boolean
  /** Part of the frequent run of a watch. */
  fast: boolean
}

/** Every check of this version, by group and id. */
export const catalogue: readonly CatalogueEntry[] = checks.map(check => ({
  id: check.id,
  group: check.group,
  title: check.title,
  why: check.why,
  remedy: check.remedy.text,
  guarantees: [...check.guarantees],
  caps: parseCaps(check.caps),
  blocking: check.blocking === true,
  fast: check.fast === true,
}))
