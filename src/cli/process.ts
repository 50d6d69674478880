import { runCli } from './cli.js';
import { processTerminal } from './terminal/terminal.js';
import { writeBytes } from './terminal/write-bytes.js';

/** One command line with what the process has: its terminal, its environment, its signals. */
export async function runProcess(process: NodeJS.Process, args: readonly string[]): Promise<number> {
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
  return await runCli(args, {
    terminal,
    environment: process.env,
    openStdin: () => process.stdin,
    program: [process.execPath, process.argv[1] ?? 'launch'],
    writeBytes: (content) => writeBytes(content, process.stdout),
    signal: controller.signal,
  });
}
