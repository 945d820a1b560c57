import { RedisCoreError } from '../errors.ts'

/** @throws `ERR_REDIS_OPTIONS` naming the field, when the value is given and out of bounds */
export function checkNumber(
  field: string,
  value: number | undefined,
  bounds: { min: number; max?: number; integer?: boolean },
): void {
  const { min, max = Number.MAX_SAFE_INTEGER, integer = true } = bounds
  if (value === undefined) return
  if (value >= min && value <= max && (!integer || Number.isInteger(value))) return
  throw new RedisCoreError(
    'ERR_REDIS_OPTIONS',
    `${field} must be ${integer ? 'an integer' : 'a number'} ${min}..${max}`,
  )
}

/**
 * Test servers and proxies are for this machine only.
 *
 * @throws `ERR_REDIS_OPTIONS`
 */
export function checkLoopback(host: string): void {
  if (/^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)) return
  throw new RedisCoreError('ERR_REDIS_OPTIONS', 'host must be a loopback address, 127.x.y.z')
}
