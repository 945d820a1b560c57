import { runCli } from '../src/cli/run-cli.ts'

/** How the command ended. */
export interface Run {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs `redis-checks doctor` in this process. */
export function cli(args: readonly string[], env: Record<string, string> = {}): Promise<Run> {
  return commandLine(['doctor', ...args], env)
}

/** Runs `redis-checks` in this process. */
export async function commandLine(args: readonly string[], env: Record<string, string> = {}): Promise<Run> {
  let stdout = ''
  let stderr = ''
  const code = await runCli(args, {
    print: async text => void (stdout += text),
    error: text => void (stderr += text),
    env,
    color: false,
    signal: new AbortController().signal,
  })
  return { code, stdout, stderr }
}
