import type { CommanderError } from 'commander'

import { oneLine } from './exit.ts'

/**
 * What is wrong with a command line, in words of the program alone. Commander repeats the argument at fault, which may be
 * a key, a payload, or a URL with its password.
 */
export function usageLine({ code, message }: CommanderError): string {
  switch (code) {
    // These name only what the program declares.
    case 'commander.missingArgument':
    case 'commander.optionMissingArgument':
    case 'commander.missingMandatoryOptionValue':
      return oneLine(message.replace(/^error: /, ''))
    case 'commander.unknownOption':
      return `unknown option${suggestionIn(message)}`
    case 'commander.unknownCommand':
      return `unknown command${suggestionIn(message)}`
    case 'commander.excessArguments':
      return `${countIn(message)}. A text with blanks needs quotes`
    case 'commander.help':
      return 'no command given'
    default:
      return 'the command line is not understood, see --help'
  }
}

/** The last line, if commander added one: a name of the program. */
function suggestionIn(message: string): string {
  const found = /\n(\(Did you mean [^\n]*\?\))$/.exec(message)
  return found ? ` ${found[1]}` : ', see --help'
}

/** Up to where the arguments themselves begin. */
function countIn(message: string): string {
  return (
    /^error: (too many arguments(?: for '[a-z]+')?\. Expected \d+ arguments? but got \d+):/.exec(message)?.[1] ??
    'too many arguments'
  )
}
