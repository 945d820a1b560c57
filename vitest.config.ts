import { defineConfig } from 'vitest/config'

// Real servers and real processes: generous time limits, and no test that asserts a wall-clock time.
export default defineConfig({
  test: {
    include: ['{packages,apps,tools}/*/{src,test}/**/*.test.ts', 'tools/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // On a shared machine a stalled core can upset a test of real processes: it gets two more tries there, shown in the
    // output. On a developer's machine every failure counts.
    retry: process.env['CI'] === 'true' ? 2 : 0,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
