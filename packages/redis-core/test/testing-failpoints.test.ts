import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { armFailpoints } from '../src/testing/index.ts'

const run = promisify(execFile)
const core = new URL('../src/index.ts', import.meta.url).href
const testing = new URL('../src/testing/index.ts', import.meta.url).href

/** Runs a script in a process of its own, started with the given secret, and reads the JSON it prints. */
async function runWithSecret(secret: string | undefined, script: string): Promise<unknown> {
  const { SAFETY_FAILPOINTS: _, ...env } = process.env
  const source = `
    import { failpoint, registerFailpoints } from ${JSON.stringify(core)}
    import { armFailpoints } from ${JSON.stringify(testing)}
    registerFailpoints(['test:before', 'test:after'])
    const visit = async name => { const stop = failpoint(name); if (stop) await stop }
    const codeOf = run => { try { run(); return 'none' } catch (error) { return error.code } }
    ${script}`
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', source], {
    env: secret === undefined ? env : { ...env, SAFETY_FAILPOINTS: secret },
  })
  return JSON.parse(stdout)
}

describe('armFailpoints', () => {
  test('calls the hook with the name and the number of the visit, and waits for it', async () => {
    const seen = await runWithSecret(
      's3cret',
      `const seen = []
       await visit('test:before')
       const armed = armFailpoints({ secret: 's3cret', hook: async (name, hit) => {
         await new Promise(resolve => setTimeout(resolve, 1))
         seen.push([name, hit])
       } })
       for (const name of ['test:before', 'test:after', 'test:before']) { await visit(name); seen.push('went on') }
       armed[Symbol.dispose]()
       await visit('test:after')
       console.log(JSON.stringify(seen))`,
    )
    expect(seen).toEqual([['test:before', 1], 'went on', ['test:after', 1], 'went on', ['test:before', 2], 'went on'])
  })

  test('throws an error of the hook at the failpoint', async () => {
    const seen = await runWithSecret(
      's3cret',
      `armFailpoints({ secret: 's3cret', hook: () => { throw new Error('stopped here') } })
       console.log(JSON.stringify(await visit('test:before').catch(error => error.message)))`,
    )
    expect(seen).toBe('stopped here')
  })

  test('arms nothing with a wrong secret, twice, or in a process started without one', async () => {
    const codes = await runWithSecret(
      's3cret',
      `const hook = () => {}
       const codes = [codeOf(() => armFailpoints({ secret: 'guess', hook }))]
       const first = armFailpoints({ secret: 's3cret', hook })
       codes.push(codeOf(() => armFailpoints({ secret: 's3cret', hook })))
       first[Symbol.dispose]()
       codes.push(codeOf(() => armFailpoints({ secret: 's3cret', hook })))
       console.log(JSON.stringify(codes))`,
    )
    expect(codes).toEqual(['ERR_REDIS_FAILPOINT', 'ERR_REDIS_FAILPOINT', 'none'])
    const without = await runWithSecret(
      undefined,
      `console.log(JSON.stringify(codeOf(() => armFailpoints({ secret: '', hook: () => {} }))))`,
    )
    expect(without).toBe('ERR_REDIS_FAILPOINT')
  })

  test('says how to start a process that can be armed', () => {
    expect(() => armFailpoints({ secret: 'guess', hook: () => {} })).toThrow(/SAFETY_FAILPOINTS/)
  })
})
