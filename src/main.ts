#!/usr/bin/env node
import { launchVersion } from './host/version.js';

const args = process.argv.slice(2);

// Scripts ask this often, and the answer needs nothing of the program.
if (args.length === 1 && args[0] === '--version') {
  process.stdout.write(`${launchVersion}\n`);
} else {
  const { runProcess } = await import('./cli/process.js');
  // Output to a pipe is asynchronous: the end waits until it is written.
  const exitCode = await runProcess(process, args);
  process.stdout.write('', () => process.exit(exitCode));
}
