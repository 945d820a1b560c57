import { RedisCoreError } from '../errors.ts'

/** An `ERR_REDIS_SERVER`: a test server could not be found, started or kept. */
export function serverError(message: string, cause?: unknown): RedisCoreError {
  return new RedisCoreError('ERR_REDIS_SERVER', message, cause === undefined ? {} : { cause })
}
