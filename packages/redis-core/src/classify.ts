/** What an error from ioredis says about the command it belongs to. */
export type RedisVerdict = 'not-run' | 'refused' | 'unknown'

const VERDICT_OF_CODE: ReadonlyMap<string, RedisVerdict> = new Map([
  ...['LOADING', 'READONLY', 'MASTERDOWN', 'CLUSTERDOWN', 'MOVED', 'ASK', 'TRYAGAIN', 'BUSY'].map(notRun),
  ...['NOREPLICAS', 'MISCONF', 'OOM', 'NOSCRIPT'].map(notRun),
  ...['NOPERM', 'NOAUTH', 'WRONGPASS', 'WRONGTYPE', 'CROSSSLOT', 'NOPROTO', 'EXECABORT'].map(refused),
])
const NOT_RUN_TEXTS = /^ERR max number of clients/i
const REFUSED_TEXTS =
  /^ERR (?:unknown command|unknown subcommand|wrong number of arguments|error compiling script|DB index|invalid DB index|SELECT is not)|can't run this command|ACL failure/i
/** ioredis answers these itself, before anything is written to a socket. */
const NEVER_SENT =
  /^(?:Stream isn't writeable|Cluster isn't ready|Connection in subscriber mode|Connection is in monitoring mode)/
/** Redis 6.2 wraps an error inside a script; the code of the inner error counts. */
const WRAPPED = /^ERR Error running script .*?@user_script: ?\d+: (?:@user_script: ?\d+: )?-?(.*)$/s
const CODE = /^([A-Z][A-Z0-9_]*)(?: |$)/
const CONNECT_CODES: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH'])

/**
 * What holds for the command that failed with `error`: `not-run` (never sent, or refused for now: a repeat may succeed),
 * `refused` (not run, and a repeat will fail alike), `unknown` (anything else: it may have run). Texts inside a script
 * count like those outside; Redis 6.2's `Error running script` is unwrapped.
 *
 * Limit: an error in the middle of a script says "not run" only if the script checks types and reads before its first
 * write, and its user may run all of its commands.
 */
export function classifyRedisError(error: unknown): RedisVerdict {
  if (!(error instanceof Error)) return 'unknown'
  return isReplyError(error) ? classifyReply(error.message) : classifyLocal(error)
}

/** Whether the server itself answered with this error. */
export function isReplyError(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError'
}

/** First word of the server's error, `undefined` if the server did not answer. Inside a script: of the inner error. */
export function redisCodeOf(error: unknown): string | undefined {
  return isReplyError(error) ? CODE.exec(unwrap(error.message))?.[1] : undefined
}

/** Whether the client itself refused to send the command, before anything was written to a socket. */
export function wasNeverSent(error: Error): boolean {
  return NEVER_SENT.test(error.message)
}

function classifyReply(message: string): RedisVerdict {
  const inner = unwrap(message)
  const verdict = VERDICT_OF_CODE.get(CODE.exec(inner)?.[1] ?? '')
  if (verdict !== undefined) return verdict
  if (NOT_RUN_TEXTS.test(inner)) return 'not-run'
  return REFUSED_TEXTS.test(inner) ? 'refused' : 'unknown'
}

function classifyLocal(error: Error): RedisVerdict {
  if (wasNeverSent(error)) return 'not-run'
  const { code, syscall } = error as NodeJS.ErrnoException
  const connecting = syscall === undefined || syscall === 'connect' || syscall === 'getaddrinfo'
  return code !== undefined && CONNECT_CODES.has(code) && connecting ? 'not-run' : 'unknown'
}

function unwrap(message: string): string {
  return WRAPPED.exec(message)?.[1] ?? message
}

function notRun(code: string): [string, RedisVerdict] {
  return [code, 'not-run']
}

function refused(code: string): [string, RedisVerdict] {
  return [code, 'refused']
}
