import { runCli } from '../../../src/cli/cli.js';
import { newHome } from '../host/new-home.js';
import { FakeTerminal } from './terminal/fake-terminal.js';

export interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program with a home of its own; its libvirt is one that nothing can reach. */
export async function newProgram() {
  const home = await newHome();
  const run = async (...args: readonly string[]): Promise<Outcome> => {
    const terminal = new FakeTerminal();
    const exitCode = await runCli(args, {
      terminal,
      environment: { LAUNCH_HOME: home.root, LIBVIRT_DEFAULT_URI: 'nowhere:///' },
      openStdin: emptyInput,
      writeBytes: () => Promise.reject(new Error('these tests write no bytes')),
      signal: new AbortController().signal,
    });
    return { exitCode, stdout: terminal.stdout, stderr: terminal.stderr };
  };
  return { home, run };
}

/** The error that `--format json` prints: one line of JSON, the last one of stderr. */
export function errorIn(outcome: Outcome): Readonly<Record<string, unknown>> {
  const parsed = JSON.parse(outcome.stderr.trimEnd().split('\n').at(-1) ?? '') as {
    error: Record<string, unknown>;
  };
  return parsed.error;
}

async function* emptyInput(): AsyncGenerator<Uint8Array> {
  // Nobody types.
}
