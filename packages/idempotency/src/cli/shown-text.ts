const STEERING = String.raw`[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}]`
/** A backslash that would read as the start of an escape is escaped too, so that no two texts are shown alike. */
const ESCAPED = new RegExp(String.raw`${STEERING}|\\(?=u\{[0-9a-f]{1,6}\})`, 'gu')
const ESCAPE = /\\u\{([0-9a-f]{1,6})\}/g

/** Texts come from outside: what would steer a terminal is shown as its escape. */
export function printable(text: string): string {
  return text.replaceAll(ESCAPED, char => `\\u{${char.codePointAt(0)?.toString(16)}}`)
}

/** The text that is shown as this one. */
export function unescaped(shown: string): string {
  return shown.replaceAll(ESCAPE, (escape, hex: string) => {
    const codePoint = Number.parseInt(hex, 16)
    return codePoint > 0x10ffff ? escape : String.fromCodePoint(codePoint)
  })
}
