/**
 * What of a given text a message may repeat. A password or a URL with one ends up anywhere by a slip of the hand, and a
 * message ends up in a log.
 */
export function harmlessId(text: string): string | undefined {
  return /^[a-z-]{1,40}$/.test(text) ? text : undefined
}

export function harmlessField(name: string): string | undefined {
  return /^[A-Za-z]{1,40}$/.test(name) ? name : undefined
}

export function harmlessVariable(name: string): string | undefined {
  return /^[A-Z_][A-Z0-9_]*$/.test(name) ? name : undefined
}

/** Neither a URL nor anything with credentials, nor what would steer a terminal. */
export function harmlessPath(path: string): string | undefined {
  return /:\/\/|@|\p{C}|\p{Zl}|\p{Zp}/u.test(path) ? undefined : path
}
