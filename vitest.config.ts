import { defineConfig } from 'vitest/config'
import { patience } from './test/support/patience.ts'

// Groups, one after the other: what fails fast comes first. `thorough` is what takes long by its nature (many random
// builds, kills and races, all combinations of executors, users and caches) and what only packing, a whole distribution or
// other programs show; `corpus` needs the folder beside the checkout. `pnpm test` runs the first two, `pnpm test:all` everything.
// Deadlines only end what hangs: they grow with the load of the machine.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            'packages/*/src/**/*.test.ts',
            'packages/*/bin/**/*.test.ts',
            'test/architecture.test.ts',
            'test/fuzz/**/*.test.ts',
          ],
          exclude: ['**/node_modules/**', '**/*.thorough.test.ts'],
          testTimeout: patience(300_000),
          hookTimeout: patience(300_000),
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          exclude: ['**/*.thorough.test.ts'],
          globalSetup: ['test/support/global-setup.ts'],
          testTimeout: patience(300_000),
          hookTimeout: patience(300_000),
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'thorough',
          include: ['packages/*/src/**/*.thorough.test.ts', 'test/**/*.thorough.test.ts'],
          exclude: ['**/node_modules/**'],
          globalSetup: ['test/support/global-setup.ts'],
          testTimeout: patience(600_000),
          hookTimeout: patience(300_000),
          maxWorkers: 2,
          sequence: { groupOrder: 3 },
        },
      },
      {
        test: {
          name: 'corpus',
          include: ['test/conformance/**/*.test.ts', 'test/security/**/*.test.ts'],
          exclude: ['**/*.thorough.test.ts'],
          globalSetup: [],
          testTimeout: patience(900_000),
          hookTimeout: patience(300_000),
          maxWorkers: 2,
          sequence: { groupOrder: 4 },
        },
      },
    ],
  },
})
