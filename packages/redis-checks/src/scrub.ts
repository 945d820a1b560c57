const MAX_TEXT = 200

/** Makes a text fit for a report. */
export type Scrub = (text: string) => string

/**
 * Server text may echo arguments: every configured secret, plain or URL-encoded, becomes `***`; control characters are
 * escaped; the text ends after 200 characters.
 */
export function createScrub(secrets: readonly string[]): Scrub {
  const needles = [...new Set(secrets.flatMap(secret => [secret, encodeURIComponent(secret)]))]
    .filter(secret => secret !== '')
    .sort((a, b) => b.length - a.length)
  return text => {
    let clean = text
    for (const needle of needles) clean = clean.replaceAll(needle, '***')
    // oxlint-disable-next-line no-control-regex -- they are what is escaped
    clean = clean.replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, escape)
    return clean.length > MAX_TEXT ? `${clean.slice(0, MAX_TEXT - 1).toWellFormed()}…` : clean.toWellFormed()
  }
}

function escape(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
}
