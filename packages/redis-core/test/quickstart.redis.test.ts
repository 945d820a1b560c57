import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { expect, test } from 'vitest'

const folder = join(import.meta.dirname, '..')
const example = join(folder, 'examples/quickstart.ts')

test('the quick start runs as it stands and prints what the README says', async () => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [example], { cwd: folder })
  expect(stdout.trim().split('\n')).toEqual(['first call: unknown', 'again: -2 left, it had run'])
  expect(stderr).toBe('')
})

test("the README's first code block is the quick start, word for word", async () => {
  const readme = await readFile(join(folder, 'README.md'), 'utf8')
  expect(/^```ts\n([\s\S]*?)^```$/m.exec(readme)?.[1]).toBe(await readFile(example, 'utf8'))
})
