import { createLossDetector, runScript, runScriptDurably } from '@safety/redis-core'
import type { Clock, RedisClient, RunOptions, Script, ScriptArgs, ScriptInput } from '@safety/redis-core'

import { effectIdOf } from '../effect-id.ts'
import { MODE_LETTERS } from '../record.ts'
import type { Answer, ClaimInput, FinishInput, Head, Place, RenewInput, SendOptions, Store } from '../store.ts'
import { abandonScript } from './abandon.ts'
import { createBucketWatch } from './bucket-watch.ts'
import type { BucketWatch, LossNotice } from './bucket-watch.ts'
import { claimScript } from './claim.ts'
import { isCluster } from './cluster.ts'
import { decideScript } from './decide.ts'
import { dueScript } from './due.ts'
import { createDurableClients } from './durable-clients.ts'
import { finishScript } from './finish.ts'
import { ALL_TAGS, createKeyLayout } from './keys.ts'
import type { KeyLayout } from './keys.ts'
import { lossScript } from './loss.ts'
import { openScript } from './open.ts'
import { readScript } from './read.ts'
import { reconcileScript } from './reconcile.ts'
import { renewScript } from './renew.ts'
import { resolveScript } from './resolve.ts'
import { scanRecords } from './scan.ts'
import { createServerClock } from './server-clock.ts'

export interface RedisStoreOptions {
  readonly redis: RedisClient
  readonly namespace: string
  readonly clock: Clock
  readonly storeTimeoutMs: number
  /** Told once per loss, before the reply that showed it is handed on. */
  readonly onLoss: (place: Place, notice: LossNotice) => void
}

type Keys = readonly ['record', 'bucket']
type Send = <A extends ScriptArgs, R extends Head<string>>(
  script: Script<Keys, A, R>,
  place: Place,
  args: (member: string) => ScriptInput<Keys, A>['args'],
  options: SendOptions,
) => Promise<Answer<R>>

/** `Store` over the scripts: one command each, the same counter watched on every reply. */
export function createRedisStore(options: RedisStoreOptions): Store {
  const { redis, namespace, clock, storeTimeoutMs, onLoss } = options
  const layout = createKeyLayout(namespace)
  const durable = createDurableClients(redis, storeTimeoutMs)
  const watch = createBucketWatch({
    clock,
    serverClock: createServerClock(isCluster(redis)),
    detector: createLossDetector(),
    onLoss,
    mark: tag => {
      const input = { keys: { bucket: layout.bucket(tag) }, args: {} }
      return runScript(redis, lossScript, input, { deadlineMs: storeTimeoutMs, clock })
    },
  })

  const send: Send = (script, place, args, sendOptions) => {
    const keys = layout.keysOf(place)
    const input = { keys, args: args(keys.member) }
    const before = watch.before(place.tag)
    const run = runOptions(clock, sendOptions)
    const { durability } = sendOptions
    const client = durability && durable.for(script.name, durability)
    if (durability === undefined || client === undefined) {
      // Closed: the end of an effect that outlived its instance is kept all the same, though nobody waits for replicas.
      const replicas = durability && 0
      return runScript(redis, script, input, run).then(reply => watch.after(place, before, reply, replicas))
    }
    const wait = { ...run, replicas: durability.replicas, waitMs: durability.timeoutMs }
    return runScriptDurably(client, script, input, wait).then(({ value, replicas }) =>
      watch.after(place, before, value, replicas),
    )
  }

  return {
    tags: ALL_TAGS,
    place: (effect, key) => layout.place(effect, key),
    effectId: place => effectIdOf(namespace, place.effect, place.part),
    ...executorSide(send, watch, storeTimeoutMs),
    ...reconcilerSide(send),
    ...readingSide(redis, layout, watch, clock),
    close: () => durable.close(),
  }
}

function executorSide(
  send: Send,
  watch: BucketWatch,
  storeTimeoutMs: number,
): Pick<Store, 'claim' | 'renew' | 'finish' | 'abandon'> {
  return {
    claim(place, input, options) {
      // A durable claim may have to wait until the WAIT of others is over; its caller waits as well.
      const patienceMs = storeTimeoutMs + (options.durability?.timeoutMs ?? 0)
      const notAfter = watch.serverDeadline(place.tag, Math.min(patienceMs, options.deadlineMs))
      return send(claimScript, place, member => claimArgs(member, input, notAfter), options)
    },
    renew: (place, input, options) => send(renewScript, place, member => renewArgs(member, input), options),
    finish: (place, input, options) => send(finishScript, place, member => finishArgs(member, input), options),
    abandon: (place, { token, mode, keepMs }, options) =>
      send(
        abandonScript,
        place,
        member => ({ member, token, mode: MODE_LETTERS[mode], keepMs: String(keepMs) }),
        options,
      ),
  }
}

type ArgsOf<S extends { readonly args: ScriptArgs }> = ScriptInput<Keys, S['args']>['args']

function claimArgs(member: string, input: ClaimInput, notAfter: number): ArgsOf<typeof claimScript> {
  const { token, fingerprint: fp, memoText: memo, leaseMs, settleMs } = input
  const keepMs = String(input.keepMs)
  return { member, token, fp, mode: MODE_LETTERS[input.mode], memo, leaseMs, keepMs, settleMs, notAfter }
}

function renewArgs(member: string, input: RenewInput): ArgsOf<typeof renewScript> {
  const { token, fingerprint: fp, memoText: memo, attempt, leaseMs, settleMs } = input
  const [fence, mode, keepMs] = [String(input.fence), MODE_LETTERS[input.mode], String(input.keepMs)]
  return { member, token, fence, fp, mode, memo, attempt, leaseMs, keepMs, settleMs }
}

function finishArgs(member: string, input: FinishInput): ArgsOf<typeof finishScript> {
  const { token, fingerprint: fp, to, payload, attempt, settleMs, settledMs: settled } = input
  const [fence, mode, keepMs] = [String(input.fence), MODE_LETTERS[input.mode], String(input.keepMs)]
  return { member, token, fence, fp, mode, to, payload, attempt, keepMs, settleMs, settled }
}

function reconcilerSide(send: Send): Pick<Store, 'reconcile' | 'resolve' | 'decide'> {
  return {
    reconcile: (place, { mode, keepMs, ...input }, options) =>
      send(
        reconcileScript,
        place,
        member => ({ member, ...input, mode: MODE_LETTERS[mode], keepMs: String(keepMs) }),
        options,
      ),
    resolve: (place, { fence, keepMs, ...input }, options) =>
      send(
        resolveScript,
        place,
        member => ({ member, ...input, fence: String(fence), keepMs: String(keepMs) }),
        options,
      ),
    decide: (place, { force, keepMs, ...input }, options) =>
      send(
        decideScript,
        place,
        member => ({ member, ...input, force: force ? 1 : 0, keepMs: String(keepMs) }),
        options,
      ),
  }
}

function readingSide(
  redis: RedisClient,
  layout: KeyLayout,
  watch: BucketWatch,
  clock: Clock,
): Pick<Store, 'read' | 'due' | 'open' | 'scan'> {
  const placesOf = (tag: string, members: readonly string[]): readonly Place[] =>
    members.flatMap(member => layout.memberPlace(tag, member) ?? [])
  // A process that only sweeps learns of a jump of the server's clock from these.
  const heard = async <R extends Head<string>>(tag: string, run: () => Promise<R>): Promise<R> => {
    const sentAtMs = clock.monotonic()
    const reply = await run()
    watch.heard(tag, reply.nowMs, sentAtMs)
    return reply
  }
  return {
    async read(place, options) {
      const input = { keys: { record: layout.keysOf(place).record }, args: {} }
      const reply = await heard(place.tag, () => runScript(redis, readScript, input, runOptions(clock, options)))
      return reply.tag === 'OK' ? reply.record : undefined
    },
    async due(tag, limit, options) {
      const input = { keys: { bucket: layout.bucket(tag) }, args: { limit } }
      const { members } = await heard(tag, () => runScript(redis, dueScript, input, runOptions(clock, options)))
      return placesOf(tag, members)
    },
    async open(tag, options) {
      const input = { keys: { bucket: layout.bucket(tag) }, args: {} }
      const { members } = await heard(tag, () => runScript(redis, openScript, input, runOptions(clock, options)))
      return placesOf(tag, members)
    },
    scan: (effect, options) => scanRecords(redis, layout, effect, { ...options, clock }),
  }
}

function runOptions(clock: Clock, { deadlineMs, signal }: SendOptions): RunOptions {
  const run = { deadlineMs: Math.max(1, deadlineMs), clock }
  return signal === undefined ? run : { ...run, signal }
}
