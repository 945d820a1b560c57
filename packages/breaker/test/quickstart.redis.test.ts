import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { startRedis } from '@safety/redis-core/testing'
import { expect, test } from 'vitest'

const folder = join(import.meta.dirname, '..')
const example = join(folder, 'examples/quickstart.ts')

test('the quick start runs against a real Redis and shows a rejection', async () => {
  await using server = await startRedis()
  const env = { PATH: process.env['PATH'], NODE_OPTIONS: process.env['NODE_OPTIONS'], REDIS_URL: server.url }
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [example], { env, timeout: 50_000 })
  expect(stderr).toBe('')
  expect(stdout).toContain('deciding with the fleet')
  expect(stdout).toContain('opened: closed -> open')
  expect(stdout).toMatch(/rejected at attempt 11, it never ran; again in \d+ ms/)
})

test("the README's first code block is the quick start, word for word", async () => {
  const readme = await readFile(join(folder, 'README.md'), 'utf8')
  const [, block] = /^```ts\n([\s\S]*?)^```$/m.exec(readme) ?? []
  expect(block).toBe(await readFile(example, 'utf8'))
})
