#!/usr/bin/env node
import { loadProgram } from './cli/load-program.js';
import { launchVersion } from './host/version.js';

const args = process.argv.slice(2);

// Scripts ask this often, and the answer needs nothing of the program.
if (args.length === 1 && args[0] === '--version') {
  process.stdout.write(`${launchVersion}\n`);
} else {
  loadProgram()
    .runProcess(process, args)
    .then(
      (exitCode) => {
        // Output to a pipe is asynchronous: the end waits until it is written.
        process.stdout.write('', () => process.exit(exitCode));
      },
      (error: unknown) => {
        console.error(error);
        process.exit(70);
      },
    );
}
