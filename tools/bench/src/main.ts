import { parse } from 'node:path'

import { Command, Option } from 'commander'

import { benches } from './registry.ts'
import type { BenchOptions } from './report.ts'

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
  .option('--processes <n>', 'breaker-fleet: processes of the fleet', Number)
  .option('--rate <n>', 'breaker-fleet: calls a second of each process', Number)
  .addOption(new Option('--outage <kind>', 'breaker-fleet').choices(['total', 'partial', 'bad-node']))
  .addOption(new Option('--fault <kind>', 'breaker-fleet, of Redis').choices(['none', 'kill', 'stop', 'flushall']))
  .option('--seeds <list>', 'faults: the seeds of its schedule (default: 1,2,3)')
  .option('--keys <n>', 'faults: keys per seed (default: 300)')
  .action(async (name: string | undefined, { json: file, quick = false, ...rest }: BenchOptions) => {
    const chosen = name === undefined ? benches : benches.filter(bench => bench.name === name)
    if (chosen.length === 0) {
      console.error(`no bench is called "${name}"; there are: ${benches.map(bench => bench.name).join(', ')}`)
      process.exitCode = UNKNOWN_NAME
      return
    }
    for (const bench of chosen) {
      const json = file === undefined || chosen.length === 1 ? file : beside(file, bench.name)
      const code = await bench.run({ ...rest, ...(json === undefined ? {} : { json }), quick })
      process.exitCode = Math.max(code, Number(process.exitCode ?? 0))
    }
  })

await program.parseAsync()

function beside(file: string, name: string): string {
  const { dir, name: stem, ext } = parse(file)
  return `${dir === '' ? '' : `${dir}/`}${stem}.${name}${ext}`
}
