import type { CommanderError } from 'commander'

/**
 * What is wrong with a command line, in words of the program alone. Commander repeats the argument at fault, which may be
 * a URL with its password.
 */
export function usageLine({ code, message }: CommanderError): string {
  switch (code) {
    case 'commander.optionMissingArgument':
      // It names only what the program declares.
      return message.replace(/^error: /, '')
    case 'commander.unknownOption':
      return `unknown option${suggestionIn(message)}`
    case 'commander.unknownCommand':
      return `unknown command${suggestionIn(message)}`
    default:
      return 'the command line is not understood, see --help'
  }
}

/** The last line, if commander added one: names of the program. */
function suggestionIn(message: string): string {
  const found = /\n(\(Did you mean [^\n]*\?\))$/.exec(message)
  return found ? ` ${found[1]}` : ', see --help'
}
