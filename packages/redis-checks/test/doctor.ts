import { runCli } from '../src/cli/run-cli.ts'

/** How the command ended. */
export interface Run {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs `redis-checks doctor` in this process. */
export async function cli(args: readonly string[], env: Record<string, string> = {}): Promise<Run> {
  let stdout = ''
  let stderr = ''
  const code = await runCli(['doctor', ...args], {
    print: async text => void (stdout += text),
    error: text => void (stderr += text),
    env,
    color: false,
    signal: new AbortController().signal,
  })
  return { code, stdout, stderr }
}
