import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { startRedis } from '@safety/redis-core/testing'
import { expect, test } from 'vitest'

const FILE = fileURLToPath(new URL('../examples/quickstart.ts', import.meta.url))
const README = new URL('../README.md', import.meta.url)

async function run(url: string): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [FILE], {
    env: { ...process.env, REDIS_URL: url },
  })
  expect(stderr).toBe('')
  return stdout
}

test('the quick start refuses a Redis that keeps nothing, and starts on one that does', async () => {
  await using unsafe = await startRedis({ args: ['--maxmemory-policy', 'volatile-lru'] })
  const refused = await run(unsafe.url)
  expect(refused).toMatch(/^FAIL +eviction-policy/m)
  expect(refused.trimEnd().split('\n').at(-1)).toBe('refused: eviction-policy, persistence')
  await using safe = await startRedis({ aof: 'everysec' })
  const started = await run(safe.url)
  expect(started).toMatch(/^started: idempotency\.standard: no guarantee is broken on 1 node/)
  const readme = await readFile(README, 'utf8')
  expect(readme).toContain('refused: eviction-policy, persistence')
  expect(readme).toContain(started.trimEnd())
})

test('the quick start is the first code block of the README, word for word', async () => {
  const [, block] = /```ts\n([\s\S]*?)```/.exec(await readFile(README, 'utf8')) ?? []
  expect(block).toBe(await readFile(FILE, 'utf8'))
})
