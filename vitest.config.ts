import { defineConfig } from 'vitest/config'
import { patience } from './test/support/patience.ts'

// Three groups, one after the other: what fails fast comes first. Whole builds have deadlines in their tests, so those
// run one at a time. Deadlines end what hangs: they grow with the load of the machine.
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
          // Only what hangs: no test rests on how fast the machine is.
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
          globalSetup: ['test/support/global-setup.ts'],
          testTimeout: patience(180_000),
          hookTimeout: patience(300_000),
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'corpus',
          include: ['test/conformance/**/*.test.ts', 'test/security/**/*.test.ts'],
          globalSetup: [],
          testTimeout: patience(900_000),
          hookTimeout: patience(300_000),
          maxWorkers: 1,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
})
