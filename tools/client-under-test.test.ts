import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { Redis } from 'ioredis'
import { expect, test } from 'vitest'

/** What this run was asked for: the preload's address in NODE_OPTIONS, or nothing. */
const [, query] = /client-under-test\.ts\?(\S+)/.exec(process.env['NODE_OPTIONS'] ?? '') ?? []
const asked = new URLSearchParams(query ?? 'ioredis=6&resp=3')
const require = createRequire(import.meta.url)
const REDIS_CORE = fileURLToPath(new URL('../packages/redis-core', import.meta.url))

// ioredis 5 has no such option: it speaks RESP2.
const spoken = (options: { protocol?: number | undefined }): string => String(options.protocol ?? 2)

test('the tests of this run have the Redis client it was asked for', () => {
  const { version } = require('ioredis/package.json') as { version: string }
  expect(version.split('.')[0]).toBe(asked.get('ioredis'))
  expect(spoken(new Redis({ lazyConnect: true }).options)).toBe(asked.get('resp'))
})

test('a process that they start has it too', async () => {
  const script = `import { connectRedis } from '@safety/redis-core'
    import { createRequire } from 'node:module'
    const { protocol } = connectRedis('redis://127.0.0.1:1', { profile: 'checks' }).options
    const { version } = createRequire(import.meta.url)('ioredis/package.json')
    console.log(JSON.stringify({ protocol, version }))`
  const args = ['--input-type=module', '--eval', script]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: REDIS_CORE })
  const { version, protocol } = JSON.parse(stdout) as { version: string; protocol?: number }
  expect(version.split('.')[0]).toBe(asked.get('ioredis'))
  expect(spoken({ protocol })).toBe(asked.get('resp'))
})
