#!/usr/bin/env node
import { pipeline } from 'node:stream/promises';
import { runCli } from './cli/cli.js';
import { processTerminal } from './cli/terminal/terminal.js';

const controller = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  // Once is enough: what was begun is being undone, and a second press must not cut that short.
  process.on(name, () => {
    controller.abort(name);
  });
}

const terminal = processTerminal({
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  onOutputClosed: () => {
    controller.abort('EPIPE');
  },
});

const exitCode = await runCli(process.argv.slice(2), {
  terminal,
  environment: process.env,
  stdin: process.stdin,
  writeBytes: async (content) => {
    await pipeline(content, process.stdout, { end: false });
  },
  signal: controller.signal,
});

// Output to a pipe is asynchronous: the end waits until it is written.
process.stdout.write('', () => process.exit(exitCode));
