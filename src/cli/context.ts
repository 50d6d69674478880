import type { Host } from '../instance/open-host.js';
import type { Work } from '../host/work.js';
import { createProgress } from './terminal/progress.js';
import { safeJson } from './terminal/escape.js';
import type { Terminal } from './terminal/terminal.js';

/** What the outside gives to one run of the program; tests bring their own. */
export interface Surroundings {
  readonly terminal: Terminal;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly stdin: AsyncIterable<Uint8Array> & { readonly isTTY?: boolean };
  /** Writes bytes to stdout, as fast as they are read there. */
  readonly writeBytes: (content: AsyncIterable<Uint8Array>) => Promise<void>;
  /** Aborts on SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
}

/** Options that every command has. */
export interface CommonOptions {
  readonly format: 'table' | 'json';
  readonly home: string | undefined;
  readonly connect: string | undefined;
  readonly verbose: boolean;
  readonly quiet: boolean;
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
  });
  const progress = createProgress(terminal);
  const json = options.format === 'json';
  const { onEvent } = progress;
  try {
    await run({
      ...surroundings,
      options,
      host,
      work: { signal: surroundings.signal, ...(options.quiet ? {} : { onEvent }) },
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
      endProgress: progress.close,
    });
  } finally {
    progress.close();
    await host.hypervisor.close();
  }
}
