import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

import { startRedis } from '@safety/redis-core/testing'
import { describe, expect, test } from 'vitest'

import { send } from './http-servers.ts'
import type { Got, Sent } from './http-servers.ts'

const README = new URL('../README.md', import.meta.url)
const SENT: Sent = {
  key: '"o-7"',
  headers: { authorization: 'Bearer acme-token' },
  body: { symbol: 'BTC' },
}

describe.concurrent.for(['http-fastify', 'http-express'])('the example %s', name => {
  const file = fileURLToPath(new URL(`../examples/${name}.ts`, import.meta.url))

  test('is in the README, word for word', async () => {
    expect(await readFile(README, 'utf8')).toContain(`\`\`\`ts\n${await readFile(file, 'utf8')}\`\`\`\n`)
  })

  test('runs as it stands: an order is placed once per key, and what is wrong with a request is said', async () => {
    await using redis = await startRedis()
    const env = { ...process.env, REDIS_URL: redis.url, PORT: '0' }
    const child = spawn(process.execPath, [file], { env, stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string]
      const port = Number(new URL(line).port)
      const order = (over: Partial<Sent>): Promise<Got> => send(port, { ...SENT, ...over })

      const first = await order({})
      expect([first.status, JSON.parse(first.text)]).toEqual([
        201,
        { order: 1, effectId: expect.stringMatching(/^[a-z2-7]{26}$/) },
      ])
      const again = await order({})
      expect([again.status, again.text, again.headers['idempotency-replayed']]).toEqual([201, first.text, 'true'])
      const { key: _key, ...keyless } = SENT
      expect((await send(port, keyless)).status).toBe(400)
      expect((await order({ body: { symbol: 'ETH' } })).status).toBe(422)
      expect((await order({ headers: {} })).status).toBe(401)
      const second = await order({ key: '"o-8"' })
      expect(JSON.parse(second.text)).toMatchObject({ order: 2 })

      child.kill('SIGTERM')
      await once(child, 'close')
      expect(child.exitCode).toBe(0)
    } finally {
      child.kill('SIGKILL')
    }
  })
})
