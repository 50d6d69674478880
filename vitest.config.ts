import { defineConfig } from 'vitest/config';

const slow = { testTimeout: 600_000, hookTimeout: 600_000 } as const;
const common = { environment: 'node', dangerouslyIgnoreUnhandledErrors: false } as const;

export default defineConfig({
  test: {
    // By default one processor is left for a person at work; two are all that CI has.
    maxWorkers: '100%',
    projects: [
      { test: { ...common, name: 'unit', include: ['test/unit/**/*.test.ts'] } },
      {
        test: {
          ...common,
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          ...common,
          ...slow,
          name: 'e2e',
          include: ['test/e2e/*.test.ts'],
          // A guest under TCG takes a core.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // What keeps every processor busy by itself, or looks at the host as a whole.
        test: {
          ...common,
          ...slow,
          name: 'e2e-alone',
          include: ['test/e2e/alone/*.test.ts'],
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
      {
        // npm run test:vagrant; in no other run, as it takes Vagrant and an hour.
        test: {
          ...common,
          name: 'vagrant',
          include: ['test/vagrant/**/*.test.ts'],
          testTimeout: 1_200_000,
          hookTimeout: 600_000,
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
