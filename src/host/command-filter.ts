import { pipeline } from 'node:stream/promises';
import { execa } from 'execa';
import { commandMissing, withLimits, type CommandOptions } from './command.js';
import { LaunchError } from './launch-error.js';
import { interruptedError } from './work.js';

/**
 * Sends a stream through a command (`xz -dc`) and gives what comes out, with the back-pressure of both ends.
 * The command ends with its consumer, and with this process.
 *
 * @throws LaunchError COMMAND_MISSING, INTERRUPTED; COMMAND_FAILED with the command's own words when it ends
 * with an error or without having read all; what `input` throws
 */
export async function* filterThroughCommand(
  command: readonly [string, ...string[]],
  input: AsyncIterable<Uint8Array>,
  options: Pick<CommandOptions, 'signal' | 'maximumMemoryBytes'> = {},
): AsyncGenerator<Buffer, void, undefined> {
  const [program, ...rest] = withLimits([...command], { ...options, dieWithParent: true });
  const child = execa(program, rest, {
    reject: false,
    encoding: 'buffer',
    buffer: { stdout: false, stderr: true },
    stdin: 'pipe',
    env: { LC_ALL: 'C' },
    forceKillAfterDelay: 2000,
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
  });
  let inputError: { readonly error: unknown } | undefined;
  async function* watched(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* input;
    } catch (error) {
      inputError = { error };
      throw error;
    }
  }
  // Its end is not awaited when the consumer leaves early: the input may be waiting for a byte that never comes.
  const feeding = pipeline(watched, child.stdin).then(
    () => true,
    () => false,
  );
  try {
    for await (const chunk of child.stdout) yield chunk as Buffer;
    const fedWhole = await feeding;
    const result = await child;
    if (inputError !== undefined) throw inputError.error;
    if (result.isCanceled && options.signal !== undefined) throw interruptedError(options.signal);
    if (result.code === 'ENOENT' || result.exitCode === 127) throw commandMissing(command[0]);
    if (result.exitCode === 0 && fedWhole) return;
    const complaint = Buffer.from(result.stderr).toString('utf8').trim().split('\n').at(-1) ?? '';
    const reason = complaint.replace(/^[\w-]+: (\(stdin\)|\/\*stdin\*\\)?(: )?/, '').trim();
    throw new LaunchError(
      'COMMAND_FAILED',
      `"${command[0]}" failed: ${reason === '' ? (result.signal ?? `exit code ${result.exitCode ?? 0}`) : reason}`,
      { details: { command, reason } },
    );
  } finally {
    child.kill('SIGKILL');
    await child;
  }
}
