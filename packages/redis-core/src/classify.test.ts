import { describe, expect, test } from 'vitest'

import { classifyRedisError, redisCodeOf } from './classify.ts'

function reply(message: string): Error {
  return Object.defineProperty(new Error(message), 'name', { value: 'ReplyError' })
}

function local(message: string, fields: { code?: string; syscall?: string; name?: string } = {}): Error {
  return Object.assign(new Error(message), fields)
}

/** What Redis 6.2 answers when a command inside a script fails. */
const SIX = 'ERR Error running script (call to f_2bab3b661081db58bd2341920e0ba7cf5dc77b25): '

describe('classifyRedisError', () => {
  test.each([
    "Stream isn't writeable and enableOfflineQueue options is false",
    "Cluster isn't ready and enableOfflineQueue options is false",
    'Connection in subscriber mode, only subscriber commands may be used',
  ])('calls %j never sent', message => {
    expect(classifyRedisError(local(message))).toBe('not-run')
  })

  test.each([
    ['connect ECONNREFUSED 127.0.0.1:1', 'ECONNREFUSED', 'connect'],
    ['getaddrinfo ENOTFOUND redis.invalid', 'ENOTFOUND', 'getaddrinfo'],
    ['getaddrinfo EAI_AGAIN redis', 'EAI_AGAIN', 'getaddrinfo'],
    ['connect EHOSTUNREACH 10.0.0.1:6379', 'EHOSTUNREACH', 'connect'],
  ])('calls %j never sent', (message, code, syscall) => {
    expect(classifyRedisError(local(message, { code, syscall }))).toBe('not-run')
  })

  test('does not call a host that went away under an open connection never sent', () => {
    expect(classifyRedisError(local('read EHOSTUNREACH', { code: 'EHOSTUNREACH', syscall: 'read' }))).toBe('unknown')
  })

  test.each([
    'LOADING Redis is loading the dataset in memory',
    "READONLY You can't write against a read only replica.",
    "READONLY You can't write against a read only replica. script: 2bab3b66, on @user_script:1.",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    'CLUSTERDOWN Hash slot not served',
    'MOVED 3999 127.0.0.1:6381',
    'ASK 3999 127.0.0.1:6381',
    'TRYAGAIN Multiple keys request during rehashing of slot',
    'BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.',
    'NOREPLICAS Not enough good replicas to write.',
    'MISCONF Redis is configured to save RDB snapshots, but it is currently not able to persist on disk.',
    "OOM command not allowed when used memory > 'maxmemory'.",
    'NOSCRIPT No matching script. Please use EVAL.',
    'ERR max number of clients reached',
  ])('calls %j refused for now', message => {
    expect(classifyRedisError(reply(message))).toBe('not-run')
  })

  test.each([
    "NOPERM this user has no permissions to run the 'eval' command",
    'NOAUTH Authentication required.',
    'WRONGPASS invalid username-password pair or user is disabled.',
    'WRONGTYPE Operation against a key holding the wrong kind of value',
    'WRONGTYPE Operation against a key holding the wrong kind of value script: 2bab3b66, on @user_script:1.',
    "CROSSSLOT Keys in request don't hash to the same slot",
    'NOPROTO unsupported protocol version',
    'EXECABORT Transaction discarded because of previous errors.',
    "ERR unknown command 'EVALX', with args beginning with: 'a' ",
    'ERR unknown command `EVALX`, with args beginning with: `a`, ',
    "ERR wrong number of arguments for 'get' command",
    'ERR Error compiling script (new function): user_script:1: unexpected symbol near <eof>',
    "ERR The user executing the script can't run this command or subcommand script: 2bab3b66, on @user_script:1.",
    "ERR ACL failure in script: User default has no permissions to run the 'set' command",
  ])('calls %j refused for good', message => {
    expect(classifyRedisError(reply(message))).toBe('refused')
  })

  test.each([
    'ERR value is not an integer or out of range',
    'ERR user_script:1: attempt to call a nil value script: 2bab3b66, on @user_script:1.',
    'UNKILLABLE Sorry the script already executed write commands against the dataset.',
    'UNBLOCKED force unblock from blocking operation',
    'ERR Error loading the extension',
    'SOMETHINGNEW happened',
    // The code counts, not a word inside a text.
    'ERR no LOADING here',
    'READONLYISH',
  ])('calls %j unknown', message => {
    expect(classifyRedisError(reply(message))).toBe('unknown')
  })

  test.each([
    'Command timed out',
    'Connection is closed.',
    'Command aborted due to connection close',
    'Reached the max retries per request limit (which is 0). Refer to "maxRetriesPerRequest" option for details.',
    "Socket timeout. Expecting data, but didn't receive any in 2000ms.",
    'Failed to refresh slots cache.',
    'None of startup nodes is available',
    // Only a server can say this; a local error that looks like it is not one.
    'LOADING something',
  ])('calls the local error %j unknown', message => {
    expect(classifyRedisError(local(message))).toBe('unknown')
  })

  test.each([
    ['read ECONNRESET', 'ECONNRESET', 'read'],
    ['write EPIPE', 'EPIPE', 'write'],
    ['connect ETIMEDOUT', 'ETIMEDOUT', 'connect'],
  ])('calls %j unknown', (message, code, syscall) => {
    expect(classifyRedisError(local(message, { code, syscall }))).toBe('unknown')
  })

  test.each([[undefined], [null], ['LOADING'], [{ message: 'LOADING' }]])(
    'calls %j, no error at all, unknown',
    value => {
      expect(classifyRedisError(value)).toBe('unknown')
    },
  )

  test.each([
    [
      `${SIX}@user_script:1: WRONGTYPE Operation against a key holding the wrong kind of value `,
      'refused',
      'WRONGTYPE',
    ],
    [`${SIX}@user_script:3: -READONLY You can't write against a read only replica. `, 'not-run', 'READONLY'],
    [
      `${SIX}@user_script:1: @user_script: 1: -OOM command not allowed when used memory > 'maxmemory'. `,
      'not-run',
      'OOM',
    ],
    [`${SIX}@user_script:1: -MISCONF Redis is configured to save RDB snapshots `, 'not-run', 'MISCONF'],
    [`${SIX}@user_script:2: -NOREPLICAS Not enough good replicas to write. `, 'not-run', 'NOREPLICAS'],
    [
      `${SIX}@user_script:1: -NOPERM The user executing the script can't run this command or subcommand `,
      'refused',
      'NOPERM',
    ],
    [`${SIX}@user_script:1: ERR value is not an integer or out of range `, 'unknown', 'ERR'],
    [`${SIX}@user_script:1: user_script:1: attempt to call a nil value `, 'unknown', undefined],
    [`${SIX}@user_script: 7: Unknown Redis command called from Lua script `, 'unknown', undefined],
  ])('counts the inner code of Redis 6.2: %j', (message, verdict, code) => {
    expect(classifyRedisError(reply(message))).toBe(verdict)
    expect(redisCodeOf(reply(message))).toBe(code)
  })

  test('reads a code only from a reply', () => {
    expect(redisCodeOf(reply('LOADING x'))).toBe('LOADING')
    expect(redisCodeOf(local('LOADING x'))).toBeUndefined()
    expect(redisCodeOf(undefined)).toBeUndefined()
  })
})
