import { startCluster } from '@safety/redis-core/testing'
import type { RedisGroup, RedisServer } from '@safety/redis-core/testing'
import { afterAll, beforeAll, expect } from 'vitest'

import { configure, nodeId, ready, until } from '../harness.ts'
import { describeLevels, passOf } from './flip.ts'

let group: RedisGroup
let hasty: RedisServer
let patient: RedisServer
let silent: RedisServer

beforeAll(async () => {
  // Long enough that no node is ever declared as failed here.
  group = await startCluster({ replicasPerMaster: 0, nodeTimeoutMs: 60_000 })
  ;[hasty, patient, silent] = group.servers as [RedisServer, RedisServer, RedisServer]
})
afterAll(() => group[Symbol.asyncDispose]())

describeLevels('cluster', flip => {
  flip('cluster-state', 'fail: a slot without a node', async ({ levels, settles }) => {
    const admin = hasty.client()
    await ready(admin)
    const options = { node: nodeId(hasty) }
    await admin.cluster('DELSLOTS', 0)
    await until(async () => (await admin.cluster('INFO')).includes('cluster_state:fail'))
    expect(await levels(group.url, options)).toBe('fail fail fail warn')
    await admin.cluster('ADDSLOTS', 0)
    await settles(group.url, passOf('cluster-state'), options)
  })

  flip('cluster-state', 'warn: a node that one neighbour misses', async ({ levels, settles }) => {
    const options = { node: nodeId(hasty), nodeTimeoutMs: 500 }
    // One node alone holds the third for down: without a second that says so it is never declared as failed.
    await configure(hasty, { 'cluster-node-timeout': '500' })
    silent.pause()
    await settles(group.url, 'warn warn warn warn', options)
    expect(await levels(group.url, { ...options, node: nodeId(patient) })).toBe(passOf('cluster-state'))
    silent.resume()
    await configure(hasty, { 'cluster-node-timeout': '60000' })
    await settles(group.url, passOf('cluster-state'), options)
  })

  flip('node-coverage', 'unknown: a listed node was not examined', async ({ levels, settles }) => {
    silent.pause()
    expect(await levels(group.url, { nodeTimeoutMs: 500 })).toBe('unknown unknown unknown unknown')
    silent.resume()
    await settles(group.url, passOf('node-coverage'))
  })

  flip('node-timeout', 'warn: over half a lease', async ({ levels }) => {
    expect(await levels(group.url, { expect: { leaseMs: 119_999 } })).toBe('warn warn info -')
    expect(await levels(group.url, { expect: { leaseMs: 120_000 } })).toBe(passOf('node-timeout'))
  })

  flip('key-co-location', 'fail: keys that belong together in several slots', async ({ levels }) => {
    expect(await levels(group.url, { expect: { keyGroups: [['a', 'b']] } })).toBe('fail fail fail -')
    expect(await levels(group.url, { expect: { keyGroups: [['{a}:1', '{a}:2']] } })).toBe(passOf('key-co-location'))
  })
})
