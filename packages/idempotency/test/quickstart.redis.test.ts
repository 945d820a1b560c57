import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { startRedis } from '@safety/redis-core/testing'
import { expect, test } from 'vitest'

const FILE = fileURLToPath(new URL('../examples/quickstart.ts', import.meta.url))
const README = new URL('../README.md', import.meta.url)

test('the quick start runs as it stands against REDIS_URL and prints what the README says', async () => {
  await using server = await startRedis()
  const env = { ...process.env, REDIS_URL: server.url }
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [FILE], { env })
  expect(stderr).toBe('')
  expect(stdout).toBe(
    [
      'first call: executed, 10.00 EUR',
      'same call again: replayed, 10.00 EUR',
      'paid, then the connection broke: replayed, 20.00 EUR',
      'same invoice, other amount: ERR_IDEMPOTENCY_MISMATCH',
      'payments at the bank: 2',
      '',
    ].join('\n'),
  )
  expect(await readFile(README, 'utf8')).toContain(stdout.trimEnd())
})

test('the quick start is the first code block of the README, word for word', async () => {
  const [, block] = /```ts\n([\s\S]*?)```/.exec(await readFile(README, 'utf8')) ?? []
  expect(block).toBe(await readFile(FILE, 'utf8'))
})
