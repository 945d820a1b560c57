import { afterEach, describe, expect, test } from 'vitest'

import { failpoint, failpointNames, registerFailpoints } from './failpoints.ts'
import type { FailpointName, FailpointState } from './failpoints.ts'

const state = (globalThis as unknown as Record<symbol, FailpointState>)[
  Symbol.for('safety.failpoints')
] as FailpointState

function named(...names: string[]): FailpointName[] {
  return names as FailpointName[]
}

afterEach(() => {
  state.hook = null
})

describe('failpoints', () => {
  test('do nothing while off', () => {
    expect(failpoint('demo:here' as FailpointName)).toBeUndefined()
  })

  test('are known once registered, in order, once each', () => {
    registerFailpoints(named('demo:before', 'demo:after'))
    registerFailpoints(named('demo:before'))
    expect(failpointNames().filter(name => name.startsWith('demo:'))).toEqual(['demo:before', 'demo:after'])
  })

  test('pass their name to the hook in the shared state, and its promise to the caller', async () => {
    const hits: string[] = []
    state.hook = name => {
      hits.push(name)
      return name.endsWith('stop') ? Promise.resolve() : undefined
    }
    expect(failpoint('demo:go' as FailpointName)).toBeUndefined()
    await expect(failpoint('demo:stop' as FailpointName)).resolves.toBeUndefined()
    expect(hits).toEqual(['demo:go', 'demo:stop'])
  })

  test('have no secret in a process started without SAFETY_FAILPOINTS, so that nothing can arm them', () => {
    expect(process.env['SAFETY_FAILPOINTS']).toBeUndefined()
    expect(state.secret).toBeUndefined()
  })

  test('cost a read and a null check while off: the hook is the only thing looked at', () => {
    const body = failpoint.toString().replace(/\s+/g, ' ')
    expect(body).toMatch(/const \{ hook \} = state;? return hook === null \? (?:undefined|void 0) : \(?hook\(name\)/)
  })

  test.each(['x', 'a:', ':a', 'A:b', 'a:b:c', 'a.b', 'a:b c'])('refuse the name %j', name => {
    expect(() => registerFailpoints(named(name))).toThrow(expect.objectContaining({ code: 'ERR_REDIS_FAILPOINT' }))
  })
})
