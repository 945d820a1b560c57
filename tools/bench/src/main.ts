import { parse } from 'node:path'

import { Command } from 'commander'

import { benches } from './registry.ts'

const UNKNOWN_NAME = 2

const program = new Command('bench')
  .description(
    'Measures what the pages promise, on servers it starts itself. Exits 1 if a gate failed, 2 on an unknown name.',
  )
  .argument('[name]', `one of ${benches.map(bench => bench.name).join(', ')}; all of them when left out`)
  .option(
    '--json <file>',
    'write the report to a file; with more than one bench, to <file> with the name before its extension',
  )
  .option('--quick', 'fewer calls, to see that it runs; the figures mean little')
  .action(async (name: string | undefined, options: { json?: string; quick?: boolean }) => {
    const chosen = name === undefined ? benches : benches.filter(bench => bench.name === name)
    if (chosen.length === 0) {
      console.error(`no bench is called "${name}"; there are: ${benches.map(bench => bench.name).join(', ')}`)
      process.exitCode = UNKNOWN_NAME
      return
    }
    for (const bench of chosen) {
      const json = options.json === undefined || chosen.length === 1 ? options.json : beside(options.json, bench.name)
      const code = await bench.run({ ...(json === undefined ? {} : { json }), quick: options.quick ?? false })
      process.exitCode = Math.max(code, Number(process.exitCode ?? 0))
    }
  })

await program.parseAsync()

function beside(file: string, name: string): string {
  const { dir, name: stem, ext } = parse(file)
  return `${dir === '' ? '' : `${dir}/`}${stem}.${name}${ext}`
}
