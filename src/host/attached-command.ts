import { constants } from 'node:os';
import { commandMissing } from './command.js';

export interface AttachedOptions {
  /** `none`: the command reads nothing, and nothing is taken from whoever runs us. */
  readonly stdin?: 'inherit' | 'none';
  /** Keeps the command's standard error from the terminal and gives it back. */
  readonly keepStderr?: boolean;
  /** Ends the command, SIGTERM first. */
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}

export interface AttachedResult {
  /** As a shell tells it: 128 and the signal's number for a command that a signal ended. */
  readonly exitCode: number;
  readonly timedOut: boolean;
  /** Empty unless it was to be kept. */
  readonly stderr: string;
}

/**
 * Gives this process's terminal, or whatever its standard streams are, to a command until it ends. Its
 * locale and environment are ours: it speaks with the person.
 *
 * @throws LaunchError COMMAND_MISSING
 */
export async function runAttached(
  command: readonly [string, ...string[]],
  options: AttachedOptions = {},
): Promise<AttachedResult> {
  const [file, ...args] = command;
  const { execa } = await import('execa');
  const result = await execa(file, args, {
    reject: false,
    stdin: options.stdin === 'none' ? 'ignore' : 'inherit',
    stdout: 'inherit',
    stderr: options.keepStderr === true ? 'pipe' : 'inherit',
    forceKillAfterDelay: 2000,
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
    ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs }),
  });
  if (result.code === 'ENOENT') throw commandMissing(file);
  return {
    exitCode: result.exitCode ?? 128 + (result.signal === undefined ? 0 : constants.signals[result.signal]),
    timedOut: result.timedOut,
    stderr: typeof result.stderr === 'string' ? result.stderr : '',
  };
}
