import type { CommanderError } from 'commander'

/** What is wrong with a command line, in one line. Commander repeats what was typed; a URL, with its password, is left out. */
export function commandLineOf(error: Pick<CommanderError, 'message'>): string {
  const [line = ''] = error.message.replace(/^error: /, '').split('\n', 1)
  return line.trim().replaceAll(/[^\s']*(?::\/\/|@)[^\s']*/g, '[hidden]')
}
