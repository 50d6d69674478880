import { execa } from 'execa';
import { commandMissing, withLimits, type CommandResult } from './command.js';
import { interruptedError } from './work.js';

/** A command that reads, piece by piece, what passes by. It ends with this process. */
export interface CommandSink {
  /**
   * Gives the command the next bytes; when this is done they may change.
   *
   * @returns false when the command reads no more
   */
  write(chunk: Uint8Array): Promise<boolean>;
  /**
   * Ends what the command reads, and waits for it.
   *
   * @throws LaunchError COMMAND_MISSING, INTERRUPTED
   */
  end(): Promise<CommandResult>;
  /** Ends the command, whatever it has read. */
  leave(): Promise<void>;
}

export function openCommandSink(
  command: readonly [string, ...string[]],
  options: { readonly signal?: AbortSignal | undefined } = {},
): CommandSink {
  const [program, ...rest] = withLimits([...command], { dieWithParent: true });
  const child = execa(program, rest, {
    reject: false,
    stripFinalNewline: false,
    stdin: 'pipe',
    env: { LC_ALL: 'C' },
    forceKillAfterDelay: 2000,
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
  });
  const { stdin } = child;
  // Each write has the error as its answer.
  stdin.on('error', () => undefined);
  let hasEnded = false;
  let answer: (readsOn: boolean) => void = () => undefined;
  child.then(
    () => {
      hasEnded = true;
      answer(false);
    },
    () => undefined,
  );
  return {
    write: async (chunk) => {
      if (hasEnded) return false;
      return await new Promise<boolean>((resolve) => {
        answer = resolve;
        stdin.write(chunk, (error) => {
          resolve(error === null || error === undefined);
        });
      });
    },
    end: async () => {
      stdin.end();
      const result = await child;
      if (result.isCanceled && options.signal !== undefined) throw interruptedError(options.signal);
      if (result.code === 'ENOENT' || result.exitCode === 127) throw commandMissing(command[0]);
      const { exitCode = 128, stdout, stderr } = result;
      return { exitCode, stdout, stderr };
    },
    leave: async () => {
      child.kill('SIGKILL');
      await child;
    },
  };
}
