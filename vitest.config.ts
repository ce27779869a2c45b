import { defineConfig } from 'vitest/config'

// Three groups, one after the other: what fails fast comes first. Whole builds have deadlines in their tests, so those
// run one at a time.
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
          testTimeout: 300_000,
          hookTimeout: 300_000,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: ['test/support/global-setup.ts'],
          testTimeout: 180_000,
          hookTimeout: 300_000,
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'corpus',
          include: ['test/conformance/**/*.test.ts', 'test/security/**/*.test.ts'],
          globalSetup: [],
          testTimeout: 900_000,
          hookTimeout: 300_000,
          maxWorkers: 1,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
})
