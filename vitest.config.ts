import { defineConfig } from 'vitest/config';

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
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 600_000,
          hookTimeout: 600_000,
          // Guests under TCG take a core each; files side by side would only slow each other down.
          fileParallelism: false,
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
        },
      },
    ],
  },
});
