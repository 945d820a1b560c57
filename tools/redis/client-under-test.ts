// Gives a whole test run another Redis client than the one that is installed, in the test workers and in every process
// they start. Loaded before anything else, by NODE_OPTIONS:
//
//   --import file:///…/tools/redis/client-under-test.ts?ioredis=5&resp=2
//
// `ioredis=5`: whoever imports `ioredis` gets the oldest version of the peer range, installed as `ioredis5`.
// `resp=2`, `resp=3`: the protocol of a client that was told none.
import { createRequire, registerHooks } from 'node:module'
import { dirname } from 'node:path'
import { pathToFileURL } from 'node:url'

const asked = new URL(import.meta.url).searchParams
const require = createRequire(new URL('../../packages/redis-core/package.json', import.meta.url))

function folderOf(name: string): string {
  return `${pathToFileURL(dirname(require.resolve(`${name}/package.json`))).href}/`
}

function answerWithIoredis5(): void {
  const older = folderOf('ioredis5')
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const found = nextResolve(specifier, context)
      // Matched after resolving: a test runner asks by file, others by name.
      const [, file] = /\/node_modules\/ioredis\/(.+)$/.exec(found.url) ?? []
      if (file === undefined || found.url.startsWith(older)) return found
      return { ...found, url: new URL(file, older).href }
    },
  })
}

function speakByDefault(protocol: 2 | 3): void {
  const { DEFAULT_REDIS_OPTIONS } = require('ioredis/built/redis/RedisOptions.js') as {
    DEFAULT_REDIS_OPTIONS: { protocol?: 2 | 3 }
  }
  if (DEFAULT_REDIS_OPTIONS.protocol === undefined) {
    if (protocol === 2) return
    throw new Error('RESP3 needs ioredis 6')
  }
  DEFAULT_REDIS_OPTIONS.protocol = protocol
}

if (asked.get('ioredis') === '5') answerWithIoredis5()
if (asked.has('resp')) speakByDefault(asked.get('resp') === '2' ? 2 : 3)
