import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { systemClock } from '@safety/redis-core'
import { explain, readKnownDifferences } from './contract/known-differences.ts'
import { runContract } from './contract/run-contract.ts'
import type { Difference } from './contract/run-contract.ts'
import type { Venue } from './contract/venue.ts'
import { createPaperExchange } from './paper-exchange.ts'

const KNOWN = new URL('../test/known-differences.json', import.meta.url)
const TESTNET = { rest: 'https://testnet.binance.vision', wsApi: 'wss://ws-api.testnet.binance.vision/ws-api/v3' }

interface Flags {
  /** File with the ready event of a running exchange, instead of one of its own. */
  against?: string
  json?: true
}

interface VenueReport {
  venue: string
  cases: number
  explained: (Difference & { why: string })[]
  unexplained: Difference[]
}

/** The testnet, if there are keys for it. */
function testnetOf(env: NodeJS.ProcessEnv): Venue | undefined {
  const { BINANCE_TESTNET_KEY: apiKey, BINANCE_TESTNET_SECRET: secret } = env
  return apiKey && secret ? { name: 'testnet', ...TESTNET, apiKey, secret } : undefined
}

async function judgePaper(against: string | undefined): Promise<VenueReport> {
  if (against !== undefined) {
    const { rest, wsApi, accounts } = JSON.parse(readFileSync(against, 'utf8')) as {
      rest: string
      wsApi: string
      accounts: { apiKey: string; secret: string }[]
    }
    const [account] = accounts
    if (account === undefined) throw new Error(`${against}: the ready event has no account`)
    return await judge({ name: 'paper', rest, wsApi, apiKey: account.apiKey, secret: account.secret })
  }
  await using exchange = await createPaperExchange({ accounts: ['contract'] })
  const { rest, wsApi } = exchange.urls
  const [account] = exchange.accounts
  if (account === undefined) throw new Error('the exchange has no account')
  return await judge({ name: 'paper', rest, wsApi, apiKey: account.apiKey, secret: account.secret })
}

async function judge(venue: Venue): Promise<VenueReport> {
  const known = readKnownDifferences(KNOWN)
  const { cases, differences } = await runContract(venue, systemClock)
  const report: VenueReport = { venue: venue.name, cases, explained: [], unexplained: [] }
  for (const difference of differences) {
    const explanation = explain(known, difference)
    if (explanation === undefined) report.unexplained.push(difference)
    else report.explained.push({ ...difference, why: explanation.why })
  }
  return report
}

function describe({ venue, cases, explained, unexplained }: VenueReport): string {
  const lines = [
    `${venue}: ${cases} cases, ${explained.length} explained and ${unexplained.length} unexplained differences`,
  ]
  for (const one of explained) lines.push(`  known  ${one.case}: ${one.path}: ${one.why}`)
  for (const one of unexplained) {
    lines.push(`  DIFF   ${one.case}: ${one.path}: expected ${one.expected}, got ${one.actual}`)
  }
  return `${lines.join('\n')}\n`
}

async function run(flags: Flags): Promise<number> {
  const reports = [await judgePaper(flags.against)]
  const testnet = testnetOf(process.env)
  if (testnet !== undefined) reports.push(await judge(testnet))
  const ok = reports.every(report => report.unexplained.length === 0)
  const skipped = testnet === undefined ? ['testnet'] : []
  if (flags.json === true) {
    process.stdout.write(`${JSON.stringify({ ok, reports, skipped })}\n`)
    return ok ? 0 : 1
  }
  for (const report of reports) process.stdout.write(describe(report))
  if (testnet === undefined) {
    process.stdout.write('testnet: not run; set BINANCE_TESTNET_KEY and BINANCE_TESTNET_SECRET to run it\n')
  }
  return ok ? 0 : 1
}

const program = new Command('contract')
  .description('hold the paper exchange, and the testnet if there are keys, against one contract')
  .option('--against <file>', 'ready event of a running exchange (default: an own one)')
  .option('--json', 'print the reports as JSON')
  .exitOverride()
  .action(async (flags: Flags) => {
    process.exitCode = await run(flags)
  })

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`)
  }
  process.exitCode = error instanceof CommanderError && error.exitCode === 0 ? 0 : 2
}
