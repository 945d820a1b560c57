import { runCommandLine } from './cli/command-line.ts'

/** Resolves at the first SIGINT or SIGTERM; a second one ends the process as the system would. */
function signalled(): Promise<void> {
  return new Promise(resolve => {
    const stop = (): void => {
      process.off('SIGINT', stop)
      process.off('SIGTERM', stop)
      resolve()
    }
    process.on('SIGINT', stop)
    process.on('SIGTERM', stop)
  })
}

/** Whoever waits for what an exchange prints would wait in vain: it ends. */
const broken = Promise.withResolvers<NodeJS.ErrnoException>()
process.stdout.on('error', broken.resolve)
// There is nowhere left to say it; the exit code does.
process.stderr.on('error', () => {})

const exitCode = await runCommandLine(process.argv.slice(2), {
  out: text => void process.stdout.write(text),
  err: text => void process.stderr.write(text),
  isTerminal: process.stdout.isTTY,
  stopRequested: Promise.race([signalled(), broken.promise.then(() => {})]),
})
const written = new Promise<undefined>(resolve => process.stdout.write('', () => setImmediate(resolve, undefined)))
const error = await Promise.race([broken.promise, written])
if (error === undefined || error.code === 'EPIPE') process.exitCode = exitCode
else {
  process.stderr.write(`error: stdout cannot be written (${error.code})\n`)
  process.exitCode = 2
}
