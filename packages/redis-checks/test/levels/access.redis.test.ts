import { startCluster, startRedis } from '@safety/redis-core/testing'
import type { RedisServer } from '@safety/redis-core/testing'
import { afterAll, beforeAll, expect } from 'vitest'

import { nodeId, ready } from '../harness.ts'
import { describeLevels, passOf } from './flip.ts'

let server: RedisServer
let url: string
beforeAll(async () => {
  server = await startRedis({ aof: 'everysec' })
  url = `redis://app:secret@${nodeId(server)}`
})
afterAll(() => server[Symbol.asyncDispose]())

/** Gives the application's user these rights and no others. */
async function allowOn(server: RedisServer, ...rules: string[]): Promise<void> {
  const admin = server.client()
  await ready(admin)
  await admin.call('ACL', 'SETUSER', 'app', 'reset', 'on', '>secret', ...rules)
  admin.disconnect()
}

const allow = (...rules: string[]): Promise<void> => allowOn(server, ...rules)

describeLevels('access', flip => {
  flip('required-commands', 'fail: one is refused', async ({ levels }) => {
    const options = { expect: { access: [{ commands: ['GET', 'HSET'] }] } }
    await allow('~*', '+@all', '-hset')
    expect(await levels(url, options)).toBe('fail fail fail fail')
    await allow('~*', '+@all')
    expect(await levels(url, options)).toBe(passOf('required-commands'))
  })

  flip('key-pattern', 'fail: the real prefix is not allowed', async ({ levels }) => {
    await allow('~other:*', '+@all')
    expect(await levels(url)).toBe('fail fail fail fail')
    expect(await levels(url, { expect: { keyPrefix: 'other:' } })).toBe(passOf('key-pattern'))
  })

  flip('script-commands', 'fail: EVAL, EVALSHA, SCRIPT LOAD, or a command inside a script', async ({ levels }) => {
    for (const denied of ['-eval', '-evalsha', '-script|load', '-time']) {
      await allow('~*', '+@all', denied)
      expect([denied, await levels(url)]).toEqual([denied, 'fail fail fail fail'])
    }
    await allow('~*', '+@all')
    expect(await levels(url)).toBe(passOf('script-commands'))
  })

  flip('optional-reads', 'info: INFO, CONFIG or ROLE refused', async ({ levels }) => {
    for (const denied of ['-info', '-config', '-role']) {
      await allow('~*', '+@all', denied)
      expect([denied, await levels(url)]).toEqual([denied, 'info info info info'])
    }
    await allow('~*', '+@all')
    expect(await levels(url)).toBe(passOf('optional-reads'))
  })

  flip('optional-reads', 'info: CLUSTER refused by a Cluster', async ({ levels }) => {
    await using group = await startCluster({ replicasPerMaster: 0 })
    const nodes = group.servers.map(nodeId).join(',')
    const options = { node: nodeId(group.servers[0] as RedisServer) }
    for (const node of group.servers) await allowOn(node, '~*', '+@all', '-cluster|info')
    expect(await levels(`redis+cluster://app:secret@${nodes}`, options)).toBe('info info info info')
    for (const node of group.servers) await allowOn(node, '~*', '+@all')
    expect(await levels(`redis+cluster://app:secret@${nodes}`, options)).toBe(passOf('optional-reads'))
  })

  flip('excess-privilege', 'warn: FLUSHALL, FLUSHDB, CONFIG SET, DEBUG or SHUTDOWN allowed', async ({ levels }) => {
    const narrow = ['~*', '+@all', '-flushall', '-flushdb', '-config|set', '-debug', '-shutdown']
    for (const allowed of ['flushall', 'flushdb', 'config|set', 'debug', 'shutdown']) {
      await allow(...narrow.filter(rule => rule !== `-${allowed}`))
      expect([allowed, await levels(url)]).toEqual([allowed, 'warn info info info'])
    }
    await allow(...narrow)
    expect(await levels(url)).toBe(passOf('excess-privilege'))
  })
})
