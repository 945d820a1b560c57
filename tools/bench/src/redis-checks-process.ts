// One cold run of the command in a process of its own, timed from the moment everything is loaded to the end of the
// process: `node redis-checks-process.ts doctor <url> --json`. The figure goes to stderr, the report to stdout.
import { writeSync } from 'node:fs'
import { hrtime } from 'node:process'

// Loaded before the clock starts; the command itself then finds it there.
import '../../../packages/redis-checks/src/cli/run-cli.ts'

const startedNs = hrtime.bigint()
process.once('exit', () => writeSync(process.stderr.fd, String(Number(hrtime.bigint() - startedNs) / 1e6)))
await import('../../../packages/redis-checks/src/cli/main.ts')
