import type { RedisClient } from '@safety/redis-core'

const WINDOW_MS = 10_000
const MINIMUM = 20
const RATIO = 0.5
const OPEN_MS = 1_500

/**
 * A breaker as the feature list's origin had it: every call asks Redis whether it may run, and writes its ending into a
 * sorted set there. Shared by nature, and two round trips per call.
 */
export function sortedSetBreaker(
  redis: RedisClient,
  key: string,
  onOpen: () => void,
): (work: (probe: boolean) => Promise<unknown>) => Promise<unknown> {
  let wasOpen = false
  let calls = 0

  async function settle(failed: boolean): Promise<void> {
    const nowMs = Date.now()
    calls += 1
    const member = `${process.pid}-${calls}-${failed ? 'f' : 'o'}`
    const [, , members] = await Promise.all([
      redis.zadd(key, nowMs, member),
      redis.zremrangebyscore(key, '-inf', nowMs - WINDOW_MS),
      redis.zrange(key, '0', '-1'),
    ])
    const bad = members.filter(one => one.endsWith('f')).length
    if (members.length < MINIMUM || bad / members.length < RATIO) return
    await redis.set(`${key}:open`, '1', 'PX', OPEN_MS)
    await redis.del(key)
  }

  return async work => {
    const open = (await redis.get(`${key}:open`)) !== null
    if (open && !wasOpen) onOpen()
    wasOpen = open
    if (open) throw Object.assign(new Error('open'), { code: 'EOPENBREAKER' })
    try {
      const value = await work(false)
      await settle(false)
      return value
    } catch (error) {
      await settle(true)
      throw error
    }
  }
}
