import { armFailpoints } from '@safety/redis-core/testing'
import { runWorker } from '../src/worker.ts'

// A worker that dies by SIGKILL at its first visit to one failpoint.
armFailpoints({
  secret: process.env['SAFETY_FAILPOINTS'] ?? '',
  hook(name, hit) {
    if (name === process.env['KILL_AT'] && hit === 1) process.kill(process.pid, 'SIGKILL')
  },
})

process.exit(await runWorker(process.stdin, line => process.stderr.write(`${line}\n`)))
