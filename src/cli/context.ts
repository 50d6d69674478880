import { join } from 'node:path';
import type { Host, HostUser } from '../instance/open-host.js';
import { watchTimings, type Timing } from '../host/timings.js';
import type { Work } from '../host/work.js';
import { createProgress } from './terminal/progress.js';
import { safeJson } from './terminal/escape.js';
import type { Terminal } from './terminal/terminal.js';

/** What the outside gives to one run of the program; tests bring their own. */
export interface Surroundings {
  readonly terminal: Terminal;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Called by who reads it: to open it takes Node as long as it takes to declare all commands. */
  readonly openStdin: () => AsyncIterable<Uint8Array> & { readonly isTTY?: boolean };
  /** Writes bytes to stdout, as fast as they are read there. */
  readonly writeBytes: (content: AsyncIterable<Uint8Array>) => Promise<void>;
  /** Aborts on SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
  /** The words that start this program, for what others shall start; `launch` where nobody says. */
  readonly program?: readonly [string, ...string[]];
  /** What `ssh` and `exec` shall run in the guest. */
  readonly guestCommand?: readonly string[] | undefined;
  /** Sets the exit code: of a command that is done, and of one that fails with 1. */
  readonly endWith?: (exitCode: number) => void;
}

/** Options that every command has. */
export interface CommonOptions {
  readonly format: 'table' | 'json';
  readonly home: string | undefined;
  readonly connect: string | undefined;
  readonly verbose: boolean;
  readonly quiet: boolean;
  readonly timings: boolean;
  /** File for the timings as a trace. */
  readonly trace: string | undefined;
}

/** What a command works with. */
export interface Context extends Surroundings {
  readonly options: CommonOptions;
  readonly host: Host;
  readonly work: Work;
  /** Results: the object as JSON with `--format json`, otherwise the text that `render` makes. */
  emit(result: unknown, render: () => string): void;
  /** Bytes as results, to stdout. */
  write(content: AsyncIterable<Uint8Array>): Promise<void>;
  /** A message on stderr that is no result. */
  say(message: string): void;
  /** Whether timings are asked for; from then on it is the command that shows them. */
  claimTimings(): boolean;
  /** Takes live lines away, before something else writes to the terminal. */
  endProgress(): void;
}

/** Runs a command's action with its context, and cleans up after it. */
export async function withContext(
  surroundings: Surroundings,
  options: CommonOptions,
  run: (context: Context) => Promise<void>,
): Promise<void> {
  const { terminal, environment } = surroundings;
  const { openHost } = await import('../instance/open-host.js');
  const host = openHost({
    home: options.home ?? environment['LAUNCH_HOME'],
    connect: options.connect ?? environment['LIBVIRT_DEFAULT_URI'],
    instanceNameTemplate: environment['LAUNCH_INSTANCE_NAME_TEMPLATE'],
    user: findUser(environment),
  });
  const progress = createProgress(terminal);
  const json = options.format === 'json';
  const { onEvent } = progress;
  const startedMs = performance.now();
  const work: Work = { signal: surroundings.signal, ...(options.quiet ? {} : { onEvent }) };
  const timings = watchTimings(work);
  let claimed = false;
  try {
    await run({
      ...surroundings,
      options,
      host,
      work: timings.work,
      emit: (result, render) => {
        progress.close();
        terminal.out(json ? `${safeJson(result)}\n` : render());
      },
      write: async (content) => {
        progress.close();
        await surroundings.writeBytes(content);
      },
      say: (message) => {
        if (!options.quiet) onEvent({ type: 'notice', message });
      },
      claimTimings: () => {
        claimed = options.timings;
        return claimed;
      },
      endProgress: progress.close,
    });
  } finally {
    progress.close();
    await host.hypervisor.close();
    if (options.timings || options.trace !== undefined) {
      await tellTimings([...startOf(startedMs), ...timings.read()], options, { terminal, claimed });
    }
  }
}

/** What passed before the command itself began: Node's start and loading this program. */
function startOf(startedMs: number): readonly Timing[] {
  return [{ name: 'start', startMs: 0, lengthMs: startedMs, outcome: 'done' }];
}

async function tellTimings(
  timings: readonly Timing[],
  options: CommonOptions,
  { terminal, claimed }: { readonly terminal: Terminal; readonly claimed: boolean },
): Promise<void> {
  const { renderTimings, renderTrace } = await import('./render-timings.js');
  if (options.trace !== undefined) {
    await writeTrace(options.trace, renderTrace('launch', timings));
  }
  if (!options.timings || claimed) return;
  // Results own stdout.
  terminal.err(
    options.format === 'json'
      ? `${safeJson({ timings })}
`
      : renderTimings(timings),
  );
}

async function writeTrace(path: string, content: string): Promise<void> {
  const { writeFile } = await import('node:fs/promises');
  const { fileSystemError } = await import('../host/system-error.js');
  await writeFile(path, content).catch((error: unknown) => {
    throw fileSystemError('write the trace', path, error);
  });
}

/** The person at the terminal, by the environment; without a HOME nobody's keys are looked for. */
function findUser(environment: Surroundings['environment']): HostUser | undefined {
  const home = environment['HOME'];
  if (home === undefined || home === '') return undefined;
  const socket = environment['SSH_AUTH_SOCK'];
  return {
    name: environment['USER'] ?? environment['LOGNAME'] ?? '',
    sshDirectory: join(home, '.ssh'),
    sshAgentSocket: socket === '' ? undefined : socket,
  };
}
