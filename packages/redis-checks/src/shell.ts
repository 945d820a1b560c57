/** One word of a command line as a POSIX shell reads it. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./~-]+$/.test(text) && !text.startsWith('~') ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
}

/** A command line that can be typed as it stands. */
export function shellLine(...words: readonly string[]): string {
  return words.map(shellWord).join(' ')
}
