import { defineConfig } from 'vitest/config'

// Real servers and real processes: generous time limits, and no test that asserts a wall-clock time.
export default defineConfig({
  test: {
    include: ['{packages,apps,tools}/*/{src,test}/**/*.test.ts', 'tools/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
