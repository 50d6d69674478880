import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Benchmark } from './benchmark.js';
import { clearUp } from './clear-up.js';
import { coldLaunch } from './cold-launch.js';
import { convert } from './convert.js';
import { guestIo } from './guest-io.js';
import { lists } from './lists.js';
import { describeMachine } from './machine.js';
import { many } from './many.js';
import { overlayIo } from './overlay-io.js';
import { renderSection, writeReport } from './report.js';
import { startUp } from './start-up.js';
import { vagrant } from './vagrant.js';
import { warmLaunch } from './warm-launch.js';

const benchmarks: readonly Benchmark[] = [
  startUp,
  lists,
  warmLaunch,
  coldLaunch,
  many,
  convert,
  overlayIo,
  guestIo,
  vagrant,
];

const usage = `usage: npm run bench -- [NAME…] [--rounds N] [--directory DIR] [--dry-run]

Measures, and writes the sections of docs/performance.md. Names: ${benchmarks.map(({ name }) => name).join(', ')}; none means all but vagrant.
  --rounds N       counted rounds, instead of each benchmark's own number
  --directory DIR  where the files go that are measured on, by default the temporary directory
  --dry-run        print the sections instead of writing them`;

const page = fileURLToPath(new URL('../../../docs/performance.md', import.meta.url));

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string' },
      directory: { type: 'string', default: tmpdir() },
      'dry-run': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const chosen = positionals.map((name) => benchmarks.find((benchmark) => benchmark.name === name));
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
  if (values.help || chosen.includes(undefined) || (rounds !== undefined && !(rounds >= 1))) {
    console.error(usage);
    process.exitCode = values.help ? 0 : 2;
    return;
  }
  const interruption = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    // Not once: execa ends the process when it finds its own listener the only one left.
    process.on(signal, () => {
      interruption.abort(new Error(`ended by ${signal}`));
    });
  }
  for (const benchmark of chosen.length === 0
    ? benchmarks.filter(({ onlyByName }) => onlyByName !== true)
    : chosen) {
    if (benchmark === undefined) continue;
    await mkdir(values.directory, { recursive: true });
    // Of this run alone, whatever another one does beside it.
    const prefix = `bench-${process.pid.toString(36)}`;
    const directory = await mkdtemp(join(values.directory, `launch-bench-${benchmark.name}-`));
    // QEMU runs as a user of its own, and has to pass.
    await chmod(directory, 0o711);
    try {
      const machine = await describeMachine(directory);
      const comparisons = await benchmark.run({
        rounds,
        directory,
        signal: interruption.signal,
        prefix,
        say: (text) => {
          console.error(`${benchmark.name}: ${text}`);
        },
      });
      const measured = { benchmark, comparisons, machine, when: new Date() };
      if (values['dry-run']) console.log(renderSection(measured));
      else await writeReport(page, measured);
    } catch (error) {
      if (!interruption.signal.aborted) throw error;
      console.error(`${benchmark.name}: ${(interruption.signal.reason as Error).message}; clearing up`);
      process.exitCode = 130;
      return;
    } finally {
      await clearUp(prefix);
      await rm(directory, { recursive: true, force: true });
    }
  }
}

await main();
