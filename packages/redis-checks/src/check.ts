import type { ClientRole } from './client-role.ts'
import type { ClientSubject } from './client-subject.ts'
import type { DeploymentSubject, NodeSubject } from './subject.ts'
import type { Finding, Remedy } from './finding.ts'
import type { Guarantee } from './report.ts'

export type Group = 'client' | 'server' | 'memory' | 'persistence' | 'replication' | 'cluster' | 'sentinel' | 'access'

interface CheckBase {
  /** The name of its file. */
  readonly id: string
  readonly group: Group
  readonly title: string
  /** What goes wrong without it, in plain words. */
  readonly why: string
  /** Levels and their conditions. */
  readonly thresholds: string
  readonly expected: string
  readonly remedy: Remedy
  readonly guarantees: readonly Guarantee[]
  /** A letter for strict, standard, breaker, cache: `F` fail, `W` warn, `I` info, `.` not run. */
  readonly caps: string
  readonly blocking?: boolean
  /** Part of the frequent run of a watch: needs INFO, HELLO, ROLE, CLUSTER INFO and CKQUORUM only. */
  readonly fast?: boolean
}

/** Judges one node: `data` nodes, `masters`, `sentinels`, or `all`. */
export interface NodeCheck extends CheckBase {
  readonly on: 'data' | 'masters' | 'sentinels' | 'all'
  readonly judge: (subject: NodeSubject) => Finding
}

/** Judges what only shows between nodes. */
export interface DeploymentCheck extends CheckBase {
  readonly on: 'deployment'
  readonly judge: (subject: DeploymentSubject) => Finding
}

/** Judges the options of the application's client. */
export interface ClientCheck extends CheckBase {
  readonly on: readonly ClientRole[]
  readonly judge: (subject: ClientSubject) => Finding
}

export type Check = NodeCheck | DeploymentCheck | ClientCheck

export function isClientCheck(check: Check): check is ClientCheck {
  return typeof check.on !== 'string'
}
