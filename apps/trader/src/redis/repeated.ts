import {
  runScript,
  type RedisClient,
  type Script,
  type ScriptArgs,
  type ScriptInput,
  type ScriptKeys,
} from '@safety/redis-core'

const attempts = 3

function mayRepeat(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false
  if ('retryable' in error && error.retryable === true) return true
  return 'outcome' in error && error.outcome === 'unknown'
}

/**
 * Runs a script and, when its answer is lost or it was not sent, runs it again with the same arguments. Every script of
 * the trader is safe for that. It settles within three deadlines.
 *
 * @throws the last error of redis-core when no attempt was answered.
 */
export async function repeated<K extends ScriptKeys, A extends ScriptArgs, R>(
  redis: RedisClient,
  script: Script<K, A, R>,
  input: ScriptInput<K, A>,
  options: { deadlineMs: number },
): Promise<R> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await runScript(redis, script, input, options)
    } catch (error) {
      if (attempt === attempts || !mayRepeat(error)) throw error
    }
  }
}
