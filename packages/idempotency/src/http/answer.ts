import { isUtf8 } from 'node:buffer'

import { z } from 'zod'

/** An answer as it is kept: an object in the record, and what a lookup or an operator gives. */
export interface HttpAnswer {
  /** 200..599. */
  readonly status: number
  /** Names in lower case. */
  readonly headers?: { readonly [name: string]: string | readonly string[] } | undefined
  /** @default '' */
  readonly body?: string | undefined
  /** How `body` is written; `base64` for what is no UTF-8. @default 'utf8' */
  readonly encoding?: 'utf8' | 'base64' | undefined
}

/** Records may have been written by a person: what is read is checked. */
export const ANSWER: z.ZodType<HttpAnswer> = z.object({
  status: z.int().min(200).max(599),
  headers: z.record(z.string(), z.union([z.string(), z.array(z.string())])).optional(),
  body: z.string().optional(),
  encoding: z.enum(['utf8', 'base64']).optional(),
})

export type HeaderValue = number | string | readonly string[] | undefined

/** @param headers names in lower case that are kept, as far as the answer has them */
export function answerOf(
  status: number,
  headers: readonly string[],
  valueOf: (name: string) => HeaderValue,
  body: Buffer,
): HttpAnswer {
  const kept: Record<string, string | readonly string[]> = {}
  for (const name of headers) {
    const value = valueOf(name)
    if (value !== undefined) kept[name] = typeof value === 'number' ? String(value) : value
  }
  const text = isUtf8(body)
  return {
    status,
    headers: kept,
    body: body.toString(text ? 'utf8' : 'base64'),
    ...(text ? {} : { encoding: 'base64' }),
  }
}

export function bodyOf({ body = '', encoding = 'utf8' }: HttpAnswer): Buffer {
  return Buffer.from(body, encoding)
}

/** What makes a replay one: the kept headers, and the mark. */
export function replayHeaders({ headers = {} }: HttpAnswer): [string, string | readonly string[]][] {
  return [...Object.entries(headers), ['idempotency-replayed', 'true']]
}
