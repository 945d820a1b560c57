import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Credentials, PaperExchangeUrls } from '../src/index.ts'

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url))

export interface Ready extends PaperExchangeUrls {
  event: 'ready'
  controlToken: string
  seed: number
  accounts: Credentials[]
  upstream?: string
}

export interface PaperProcess extends AsyncDisposable {
  readonly child: ChildProcess
  readonly ready: Ready
  output(): { stdout: string; stderr: string }
  /** Sends a signal and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

/** Runs a command line to its end. */
export async function runPaper(
  args: string[],
  node: string = process.execPath,
  stdout: 'pipe' | number = 'pipe',
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  // A command that should have refused and runs instead must not outlive its test.
  const child = spawn(node, [MAIN, ...args], {
    stdio: ['ignore', stdout, 'pipe'],
    timeout: 50_000,
    killSignal: 'SIGKILL',
  })
  const heard = hear(child)
  await once(child, 'close')
  return { code: child.exitCode, ...heard() }
}

/** Starts an exchange (or a proxy) as a process of its own, with `--json`. */
export async function startPaper(args: string[], node: string = process.execPath): Promise<PaperProcess> {
  const child = spawn(node, [MAIN, ...args, '--json'], { stdio: ['ignore', 'pipe', 'pipe'] })
  const heard = hear(child)
  const ready = await new Promise<Ready>((resolve, reject) => {
    child.stdout?.on('data', () => {
      const { stdout } = heard()
      if (stdout.includes('\n')) resolve(JSON.parse(stdout.slice(0, stdout.indexOf('\n'))) as Ready)
    })
    child.once('close', () => reject(new Error(`ended with ${child.exitCode}: ${heard().stderr}`)))
  })
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal)
      await once(child, 'close')
    }
    return child.exitCode
  }
  return { child, ready, output: heard, stop, [Symbol.asyncDispose]: async () => void (await stop('SIGKILL')) }
}

function hear(child: ChildProcess): () => { stdout: string; stderr: string } {
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', chunk => (stdout += String(chunk)))
  child.stderr?.on('data', chunk => (stderr += String(chunk)))
  return () => ({ stdout, stderr })
}
