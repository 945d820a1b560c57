import { runBreakerBench } from './breaker.ts'
process.exitCode = await runBreakerBench({ quick: process.argv[2] === 'quick' })
