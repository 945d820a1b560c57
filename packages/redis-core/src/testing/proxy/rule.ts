import { RedisCoreError } from '../../errors.ts'
import type { Random } from '../../random.ts'
import { checkNumber } from '../option-checks.ts'
import { subcommandOf, type Request } from './request.ts'

/** Where a rule acts: when a client connects, before the server sees a request, or after it has executed it. */
export type Direction = 'connect' | 'request' | 'reply'

/** How a connection ends: RST, FIN, or not at all while nothing more arrives. */
export type Ending = 'reset' | 'fin' | 'silence'

/**
 * What a rule takes. All given criteria must hold; an empty match takes everything, the client's own handshake and pushed
 * messages included.
 */
export interface Match {
  /** Command names, any case; `'script load'` also looks at the subcommand. Pushed messages go by their kind (`'message'`). */
  command?: string | readonly string[]
  /** Name of the script that EVAL, EVALSHA or FCALL runs. */
  script?: string
  /** Some key of the request begins with this. */
  keyPrefix?: string
  /** Only the nth of what the criteria above take, from 1, counted from when the rule was added. */
  nth?: number
  /** Only this share of it, 0..1, drawn from the proxy's `random`. @default 1 */
  share?: number
  /** @default 'request' for drop-request, error and hold, all for pass, else 'reply' */
  direction?: Direction
}

/**
 * What happens to a matched message. Everything behind it on its connection keeps its place: order is never changed.
 *
 * - `pass`: nothing, and later rules are not asked.
 * - `delay`: arrives `ms` (plus up to `jitterMs`) late.
 * - `hold`: waits for `release()`. A held request is executed even when its client has left meanwhile.
 * - `drop-request`: the server never sees it; `then` (reset). With silence, replies to earlier requests still arrive.
 * - `drop-reply`: executed, and the reply is lost; `then` (reset). With silence, later requests are still executed.
 * - `error`: the server never sees it; `message` (`LOADING ...`) is the reply, in its turn.
 * - `truncate`: only the first `bytes` bytes of the message, then RST.
 * - `reset`, `fin`: the message is lost and the connection ends.
 * - `silence`: from here on nothing passes either way, and neither side is told.
 * - `half-open`: the server's side is closed and the client is not told.
 * - `slice`: in pieces of `bytes` bytes, one every `everyMs` (1) milliseconds.
 * - `throttle`: at most `bytesPerSecond`.
 * - `corrupt`: one byte, at offset `at` or a random one, is replaced by another.
 */
export type FaultAction =
  | { kind: 'pass' }
  | { kind: 'delay'; ms: number; jitterMs?: number }
  | { kind: 'hold' }
  | { kind: 'drop-request'; then?: Ending }
  | { kind: 'drop-reply'; then?: Ending }
  | { kind: 'error'; message: string }
  | { kind: 'truncate'; bytes: number }
  | { kind: 'reset' }
  | { kind: 'fin' }
  | { kind: 'silence' }
  | { kind: 'half-open' }
  | { kind: 'slice'; bytes: number; everyMs?: number }
  | { kind: 'throttle'; bytesPerSecond: number }
  | { kind: 'corrupt'; at?: number }

export interface Rule {
  /** @default everything in the action's direction */
  match?: Match
  action: FaultAction
}

/** A rule in force. */
export interface RuleHandle {
  /** How often it has acted. */
  readonly fired: number
  remove(): void
}

/** One message, or one new connection, that rules look at. */
export interface Subject {
  direction: Direction
  /** The request, the request a reply answers, or all of a transaction. Empty for connections, pushes and foreign bytes. */
  requests: readonly Request[]
  /** Kind of a pushed message. */
  push?: string
}

export interface ActiveRule {
  readonly action: FaultAction
  readonly handle: RuleHandle
}

interface Counted extends ActiveRule {
  takes(subject: Subject): boolean
  /** Counts a message it takes, and says whether it wants to act on it. */
  counts(): boolean
  act(): void
}

const REQUEST_ONLY: ReadonlySet<string> = new Set(['drop-request', 'error'])
const REPLY_ONLY: ReadonlySet<string> = new Set(['drop-reply'])
const WITH_BYTES: ReadonlySet<string> = new Set(['truncate', 'slice', 'throttle', 'corrupt'])

function invalid(field: string, problem: string): RedisCoreError {
  return new RedisCoreError('ERR_REDIS_OPTIONS', `fault proxy rule: ${field} ${problem}`)
}

const ENDINGS: ReadonlySet<string | undefined> = new Set([undefined, 'reset', 'fin', 'silence'])
const LONGEST_MS = 3_600_000

function checkAction(action: FaultAction): void {
  switch (action.kind) {
    case 'delay':
      checkNumber('action.ms', action.ms, { min: 0, max: LONGEST_MS, integer: false })
      return checkNumber('action.jitterMs', action.jitterMs, { min: 0, max: LONGEST_MS, integer: false })
    case 'drop-request':
    case 'drop-reply':
      if (!ENDINGS.has(action.then)) throw invalid('action.then', "must be 'reset', 'fin' or 'silence'")
      return
    case 'error':
      if (typeof action.message === 'string' && /^[A-Z]\S*( [^\r\n]*)?$/.test(action.message)) return
      throw invalid('action.message', 'must be one line that begins with an error code in capitals')
    case 'truncate':
      return checkNumber('action.bytes', action.bytes, { min: 0 })
    case 'slice':
      checkNumber('action.everyMs', action.everyMs, { min: 0, max: LONGEST_MS, integer: false })
      return checkNumber('action.bytes', action.bytes, { min: 1 })
    case 'throttle':
      return checkNumber('action.bytesPerSecond', action.bytesPerSecond, { min: 1, integer: false })
    case 'corrupt':
      return checkNumber('action.at', action.at, { min: 0 })
    case 'pass':
    case 'hold':
    case 'reset':
    case 'fin':
    case 'silence':
    case 'half-open':
      return
    default:
      throw invalid('action.kind', 'is none of the known actions')
  }
}

/** The directions a rule acts in; never empty. */
function resolveDirections(match: Match, kind: FaultAction['kind']): ReadonlySet<Direction> {
  const { direction } = match
  const needed = REQUEST_ONLY.has(kind) ? 'request' : REPLY_ONLY.has(kind) ? 'reply' : undefined
  if (needed !== undefined && direction !== undefined && direction !== needed) {
    throw invalid('match.direction', `must be '${needed}' for ${kind}`)
  }
  if (direction === 'connect' && WITH_BYTES.has(kind))
    throw invalid('match.direction', `cannot be 'connect' for ${kind}`)
  if (direction !== undefined) return new Set([direction])
  if (kind === 'pass') return new Set(['connect', 'request', 'reply'])
  return new Set([needed ?? (kind === 'hold' ? 'request' : 'reply')])
}

function readCommands(match: Match): readonly string[] | undefined {
  if (match.command === undefined) return undefined
  const commands = typeof match.command === 'string' ? [match.command] : match.command
  return commands.map(command => command.toLowerCase())
}

/** The criteria about the message itself. */
function createCriteria(match: Match, kind: FaultAction['kind']): (subject: Subject) => boolean {
  const { script, keyPrefix } = match
  const commands = readCommands(match)
  const takesRequest = (request: Request): boolean => {
    const named =
      commands === undefined ||
      commands.includes(request.command) ||
      (request.args.length > 1 && commands.includes(`${request.command} ${subcommandOf(request)}`))
    if (!named || (script !== undefined && script !== request.script)) return false
    return keyPrefix === undefined || request.keys().some(key => key.startsWith(keyPrefix))
  }
  const anything = commands === undefined && script === undefined && keyPrefix === undefined
  return ({ requests, push, direction }) => {
    if (requests.length > 0) return requests.some(takesRequest)
    if (push !== undefined && commands?.includes(push) === true) return true
    return anything && (direction === 'connect' || !REPLY_ONLY.has(kind))
  }
}

/** How the short forms of the proxy narrow or widen a rule. */
export interface RuleLimits {
  /** Instead of what the match says. */
  directions?: ReadonlySet<Direction>
  /** Acts once, on the first message no earlier rule acts on. */
  once?: boolean
}

/** Everything in force on one proxy. Every rule counts what it takes; of those that would act, the first one does. */
export interface RuleSet {
  add(rule: Rule, limits?: RuleLimits): RuleHandle
  decide(subject: Subject): ActiveRule | undefined
}

function createCounted(
  { match = {}, action }: Rule,
  limits: RuleLimits,
  random: Random,
  remove: (rule: Counted) => void,
): Counted {
  checkAction(action)
  checkNumber('match.nth', match.nth, { min: 1 })
  checkNumber('match.share', match.share, { min: 0, max: 1, integer: false })
  const within = limits.directions ?? resolveDirections(match, action.kind)
  const criteria = createCriteria(match, action.kind)
  let seen = 0
  let fired = 0
  const rule: Counted = {
    action,
    handle: {
      get fired() {
        return fired
      },
      remove: () => remove(rule),
    },
    takes: subject => within.has(subject.direction) && criteria(subject),
    counts() {
      seen++
      if (limits.once === true && fired > 0) return false
      if (match.nth !== undefined && match.nth !== seen) return false
      return match.share === undefined || random.float() < match.share
    },
    act: () => void fired++,
  }
  return rule
}

export function createRuleSet(random: Random): RuleSet {
  let active: readonly Counted[] = []
  return {
    add(rule, limits = {}) {
      const counted = createCounted(rule, limits, random, removed => {
        active = active.filter(other => other !== removed)
      })
      active = [...active, counted]
      return counted.handle
    },
    decide(subject) {
      if (active.length === 0) return undefined
      const [first] = active.filter(rule => rule.takes(subject) && rule.counts())
      first?.act()
      return first
    },
  }
}
