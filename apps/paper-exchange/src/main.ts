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

// Whoever waits for what an exchange prints would wait in vain: it ends.
let broken: NodeJS.ErrnoException | undefined
const unread = Promise.withResolvers<void>()
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  broken ??= error
  unread.resolve()
})
// There is nowhere left to say it; the exit code does.
process.stderr.on('error', () => {})

const exitCode = await runCommandLine(process.argv.slice(2), {
  out: text => void process.stdout.write(text),
  err: text => void process.stderr.write(text),
  isTerminal: process.stdout.isTTY,
  stopRequested: Promise.race([signalled(), unread.promise]),
})
await new Promise<void>(resolve => process.stdout.write('', () => resolve()))
const lost = broken !== undefined && broken.code !== 'EPIPE'
if (lost) process.stderr.write(`error: stdout cannot be written (${broken?.code})\n`)
process.exitCode = lost ? 2 : exitCode
