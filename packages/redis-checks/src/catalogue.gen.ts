// Generated from src/checks by tools/generate-catalogue.ts; do not edit.
import type { Check } from './check.ts'
import { autoPipelining } from './checks/client/auto-pipelining.ts'
import { clientVersion } from './checks/client/client-version.ts'
import { clusterRetry } from './checks/client/cluster-retry.ts'
import { commandTimeout } from './checks/client/command-timeout.ts'
import { failoverDetector } from './checks/client/failover-detector.ts'
import { ghostCommand } from './checks/client/ghost-command.ts'
import { keyPrefix } from './checks/client/key-prefix.ts'
import { misplacedOption } from './checks/client/misplaced-option.ts'
import { offlineQueue } from './checks/client/offline-queue.ts'
import { readRouting } from './checks/client/read-routing.ts'
import { readyCheck } from './checks/client/ready-check.ts'
import { reconnectOnError } from './checks/client/reconnect-on-error.ts'
import { resendOffHang } from './checks/client/resend-off-hang.ts'
import { resendUnfulfilled } from './checks/client/resend-unfulfilled.ts'
import { retriesPerRequest } from './checks/client/retries-per-request.ts'
import { retryStrategy } from './checks/client/retry-strategy.ts'
import { sharedConnection } from './checks/client/shared-connection.ts'
import { clockSkew } from './checks/server/clock-skew.ts'
import { connections } from './checks/server/connections.ts'
import { dataLoss } from './checks/server/data-loss.ts'
import { endpointMode } from './checks/server/endpoint-mode.ts'
import { loading } from './checks/server/loading.ts'
import { reachable } from './checks/server/reachable.ts'
import { role } from './checks/server/role.ts'
import { serverVersion } from './checks/server/server-version.ts'
import { capacityFit } from './checks/memory/capacity-fit.ts'
import { evictionPolicy } from './checks/memory/eviction-policy.ts'
import { evictions } from './checks/memory/evictions.ts'
import { memoryHeadroom } from './checks/memory/memory-headroom.ts'
import { memoryLimit } from './checks/memory/memory-limit.ts'
import { outOfMemory } from './checks/memory/out-of-memory.ts'
import { aofHealth } from './checks/persistence/aof-health.ts'
import { emptyRestart } from './checks/persistence/empty-restart.ts'
import { fsyncPolicy } from './checks/persistence/fsync-policy.ts'
import { persistence } from './checks/persistence/persistence.ts'
import { rdbHealth } from './checks/persistence/rdb-health.ts'
import { rewriteFsync } from './checks/persistence/rewrite-fsync.ts'
import { stopWrites } from './checks/persistence/stop-writes.ts'
import { waitaof } from './checks/persistence/waitaof.ts'
import { failoverInProgress } from './checks/replication/failover-in-progress.ts'
import { minReplicas } from './checks/replication/min-replicas.ts'
import { nodeParity } from './checks/replication/node-parity.ts'
import { replicaCount } from './checks/replication/replica-count.ts'
import { replicaPriority } from './checks/replication/replica-priority.ts'
import { replicaWritable } from './checks/replication/replica-writable.ts'
import { replicationLag } from './checks/replication/replication-lag.ts'
import { waitProbe } from './checks/replication/wait-probe.ts'
import { clusterState } from './checks/cluster/cluster-state.ts'
import { keyCoLocation } from './checks/cluster/key-co-location.ts'
import { nodeCoverage } from './checks/cluster/node-coverage.ts'
import { nodeTimeout } from './checks/cluster/node-timeout.ts'
import { downAfter } from './checks/sentinel/down-after.ts'
import { sentinelAgreement } from './checks/sentinel/sentinel-agreement.ts'
import { sentinelCount } from './checks/sentinel/sentinel-count.ts'
import { sentinelQuorum } from './checks/sentinel/sentinel-quorum.ts'
import { excessPrivilege } from './checks/access/excess-privilege.ts'
import { keyPattern } from './checks/access/key-pattern.ts'
import { optionalReads } from './checks/access/optional-reads.ts'
import { requiredCommands } from './checks/access/required-commands.ts'
import { scriptCommands } from './checks/access/script-commands.ts'

/** Every check, by group and id. */
export const checks: readonly Check[] = [
  autoPipelining,
  clientVersion,
  clusterRetry,
  commandTimeout,
  failoverDetector,
  ghostCommand,
  keyPrefix,
  misplacedOption,
  offlineQueue,
  readRouting,
  readyCheck,
  reconnectOnError,
  resendOffHang,
  resendUnfulfilled,
  retriesPerRequest,
  retryStrategy,
  sharedConnection,
  clockSkew,
  connections,
  dataLoss,
  endpointMode,
  loading,
  reachable,
  role,
  serverVersion,
  capacityFit,
  evictionPolicy,
  evictions,
  memoryHeadroom,
  memoryLimit,
  outOfMemory,
  aofHealth,
  emptyRestart,
  fsyncPolicy,
  persistence,
  rdbHealth,
  rewriteFsync,
  stopWrites,
  waitaof,
  failoverInProgress,
  minReplicas,
  nodeParity,
  replicaCount,
  replicaPriority,
  replicaWritable,
  replicationLag,
  waitProbe,
  clusterState,
  keyCoLocation,
  nodeCoverage,
  nodeTimeout,
  downAfter,
  sentinelAgreement,
  sentinelCount,
  sentinelQuorum,
  excessPrivilege,
  keyPattern,
  optionalReads,
  requiredCommands,
  scriptCommands,
]
