import type { Fact } from './fact.ts'
import type { NodeReport, UnknownBecause } from './report.ts'

export type Permission = 'allowed' | 'refused' | 'unreadable'

/** What the user of the connection may do. */
export interface AccessFacts {
  readonly user: string
  /** By command name in capitals. */
  readonly commands: ReadonlyMap<string, Permission>
  /** EVAL, EVALSHA, SCRIPT LOAD and, after `script:`, commands inside a script. */
  readonly scripts: ReadonlyMap<string, Permission>
  /** The probe key under the real prefix. */
  readonly key: Permission
  readonly privileged: ReadonlyMap<string, Permission>
  readonly evidence: 'probe' | 'info'
  readonly source: string
  /** ACL itself is refused, and need not be asked again. */
  readonly aclRefused: boolean
  /** Why a permission is unreadable. */
  readonly because: UnknownBecause
  readonly detail: string
}

/** How the write of the probe ended. */
export type WriteOutcome =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: string; readonly text: string; readonly because: UnknownBecause }

export interface ProbeFacts {
  readonly write: WriteOutcome
  /** Replicas that acknowledged within 200 ms. */
  readonly wait: Fact<number>
  readonly waitReplicas: number
  /** Local fsyncs after WAITAOF; `disabled`: the server says that its append-only file is off. */
  readonly waitAof: Fact<number | 'disabled' | 'silent'>
  readonly marker: Fact<MarkerFacts>
}

export interface MarkerFacts {
  readonly id: string
  readonly seq: number
  /** By the server's clock. */
  readonly createdMs: number
  readonly serverMs: number
}

export interface ClusterMember {
  readonly nodeId: string
  readonly host: string
  readonly port: number
  readonly role: 'master' | 'replica'
  readonly masterId: string | null
  readonly flags: readonly string[]
  readonly slots: readonly (readonly [number, number])[]
}

export interface SentinelFacts {
  /** `host:port` of the master it names. */
  readonly master: Fact<string>
  readonly masterFields: Fact<ReadonlyMap<string, string>>
  readonly replicas: Fact<readonly string[]>
  readonly others: Fact<readonly string[]>
  /** The reply of CKQUORUM: usable or what is wrong. */
  readonly quorum: Fact<{ readonly usable: boolean; readonly text: string }>
}

export interface Refusal {
  readonly command: string
  readonly how: NodeReport['refused'][number]['how']
}

/** Everything read from one node, and why the rest could not be. */
export interface NodeFacts {
  readonly id: string
  readonly kind: 'data' | 'sentinel'
  /** The node the client writes to. */
  readonly endpoint: boolean
  readonly reachable: boolean
  readonly failure: {
    readonly text: string
    readonly because: 'unreachable' | 'timeout'
    readonly auth: boolean
  } | null
  readonly role: Fact<'master' | 'replica' | 'sentinel'>
  readonly mode: Fact<string>
  readonly product: Fact<string>
  readonly version: Fact<string>
  readonly runId: Fact<string>
  readonly latencyMs: Fact<number>
  readonly loading: Fact<boolean>
  /** Server time minus the time of `clock`, milliseconds. */
  readonly skewMs: Fact<number>
  readonly info: Fact<ReadonlyMap<string, string>>
  readonly config: ReadonlyMap<string, Fact<string>>
  readonly clusterInfo: Fact<ReadonlyMap<string, string>>
  readonly clusterMembers: Fact<readonly ClusterMember[]>
  readonly sentinel: SentinelFacts | null
  readonly access: AccessFacts | null
  readonly probe: ProbeFacts | null
  readonly marker: Fact<MarkerFacts> | null
  readonly refused: readonly Refusal[]
}
