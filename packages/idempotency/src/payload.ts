import type { DoubtReason, Failure } from './errors.ts'
import type { JsonValue } from './json.ts'

/** Who gave a verdict, and why. */
export interface Author {
  readonly by: string
  readonly why: string
}

/** What a done record holds: a value, nothing (`undefined`), or a note that the value was not kept. */
export type Body =
  | { readonly kind: 'value'; readonly text: string }
  | { readonly kind: 'undefined' }
  /** `text`: what the store will not keep. */
  | { readonly kind: 'too-large'; readonly text: string }
  | { readonly kind: 'not-encodable' }

export type OpenReason = DoubtReason | 'not-run' | 'lookup' | 'lease-lost' | 'not-durable' | 'operator' | 'released'

/** The payload of D. The value's own text goes in as it is, so that nothing is encoded twice. */
export function donePayload(body: Body, author?: Author): string {
  switch (body.kind) {
    case 'value':
      return join(`"v":${body.text}`, author)
    case 'undefined':
      return join('', author)
    case 'too-large':
      return join('"o":1', author)
    case 'not-encodable':
      break
  }
  return join('"e":1', author)
}

/** Like the payload of D, with the value whole: what other callers of this process read it from. */
export function sharedPayload(body: Body): string {
  return donePayload(body.kind === 'too-large' ? { kind: 'value', text: body.text } : body)
}

/** The payload of F. */
export function failedPayload(failure: Failure, author?: Author): string {
  return join(`"f":${JSON.stringify(failure)}`, author)
}

/** The payload of C, U, N and R: the memo, and why the record is in this state. */
export function openPayload(memoText: string, reason?: OpenReason, author?: Author): string {
  const memo = memoText === '' ? '' : `"m":${memoText}`
  const why = reason === undefined ? '' : `"r":"${reason}"`
  return join(memo !== '' && why !== '' ? `${memo},${why}` : memo + why, author)
}

/** The payload of a doubt whose lookup asked to be left alone until `askAtMs`, server time. The reason comes last, as always. */
export function waitingPayload(memoText: string, reason: DoubtReason, askAtMs: number): string {
  const memo = memoText === '' ? '' : `"m":${memoText},`
  return join(`${memo}"t":${askAtMs},"r":"${reason}"`, undefined)
}

function join(members: string, author: Author | undefined): string {
  if (author === undefined) return `{${members}}`
  const tail = `"w":${JSON.stringify({ by: author.by, why: author.why })}`
  return `{${members === '' ? tail : `${members},${tail}`}}`
}

/** What a done record was found to hold. The value is this reader's own. */
export type StoredBody =
  | { readonly kind: 'value'; readonly value: JsonValue }
  | { readonly kind: 'undefined' }
  | { readonly kind: 'too-large' }
  | { readonly kind: 'not-encodable' }

/** A payload read back. */
export interface ParsedPayload {
  readonly body: StoredBody
  readonly failure: JsonValue | undefined
  readonly memo: JsonValue | undefined
  readonly reason: string | undefined
  /** Server time before which the lookup need not be asked again. */
  readonly askAtMs: number | undefined
  readonly by: string | undefined
  readonly why: string | undefined
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own message would quote the payload.
    throw new SyntaxError('a payload is JSON')
  }
}

/** Reads what any of the writers above wrote. @throws SyntaxError for anything else, without repeating it */
export function parsePayload(text: string): ParsedPayload {
  const parsed = parsedJson(text)
  if (typeof parsed !== 'object' || parsed === null) throw new SyntaxError('a payload is a JSON object')
  const { v, o, e, f, m, r, t, w } = parsed as Record<string, JsonValue | undefined>
  const author = typeof w === 'object' && w !== null ? (w as Record<string, JsonValue | undefined>) : {}
  return {
    body: bodyOf(v, o !== undefined, e !== undefined),
    failure: f,
    memo: m,
    reason: typeof r === 'string' ? r : undefined,
    askAtMs: typeof t === 'number' ? t : undefined,
    by: typeof author['by'] === 'string' ? author['by'] : undefined,
    why: typeof author['why'] === 'string' ? author['why'] : undefined,
  }
}

function bodyOf(value: JsonValue | undefined, tooLarge: boolean, notEncodable: boolean): StoredBody {
  if (tooLarge) return { kind: 'too-large' }
  if (notEncodable) return { kind: 'not-encodable' }
  return value === undefined ? { kind: 'undefined' } : { kind: 'value', value }
}

const DOUBT_REASONS: ReadonlySet<string> = new Set<DoubtReason>(['lapsed', 'unclear', 'timeout', 'store-loss'])

/** Why an open record is in doubt; a record whose executor left no word has lapsed. */
export function doubtReasonOf(reason: string | undefined): DoubtReason {
  return reason !== undefined && DOUBT_REASONS.has(reason) ? (reason as DoubtReason) : 'lapsed'
}
