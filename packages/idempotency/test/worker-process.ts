import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

import type { Job } from './worker.ts'

const FILE = fileURLToPath(new URL('worker.ts', import.meta.url))

export interface WorkerProcess extends AsyncDisposable {
  readonly lines: { ready?: true; killed?: string; status?: string; value?: unknown; code?: string }[]
  readonly exited: Promise<NodeJS.Signals | number | null>
}

/** Starts a worker; it is killed at the end of the test at the latest. */
export function startWorker(job: Job): WorkerProcess {
  const child = spawn(process.execPath, [FILE, JSON.stringify(job)], {
    env: { ...process.env, SAFETY_FAILPOINTS: 'test-secret' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines: WorkerProcess['lines'] = []
  let rest = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n')
    rest = parts.pop() ?? ''
    for (const part of parts) lines.push(JSON.parse(part))
  })
  const exited = once(child, 'close').then(() => child.signalCode ?? child.exitCode)
  return {
    lines,
    exited,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exited
    },
  }
}
