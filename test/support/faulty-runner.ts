import {
  systemCommandRunner,
  type CommandOptions,
  type CommandResult,
  type CommandRunner,
} from '../../src/host/command.js';

/**
 * How a command fails: `before` it does anything, `after` it did all of it, or because the disk is full
 * halfway.
 */
export type CommandFault = 'before' | 'after' | 'disk-full';

/** Runs real commands, remembers them, and makes one of them fail when told to. */
export class FaultyRunner implements CommandRunner {
  readonly calls: { readonly file: string; readonly args: readonly string[] }[] = [];
  #left = 0;
  #fault: CommandFault = 'before';

  /** The nth command from now on fails. */
  failAt(call: number, fault: CommandFault = 'before'): void {
    this.#left = call;
    this.#fault = fault;
  }

  clearFaults(): void {
    this.#left = 0;
  }

  /** The calls of `qemu-img <action>` so far. */
  countOf(action: string): number {
    return this.calls.filter(({ file, args }) => file === 'qemu-img' && args[0] === action).length;
  }

  async run(file: string, args: readonly string[], options?: CommandOptions): Promise<CommandResult> {
    this.calls.push({ file, args });
    this.#left -= 1;
    const fault = this.#left === 0 ? this.#fault : undefined;
    if (fault === 'before') return failure(file, 'a fault of the test');
    const result = await systemCommandRunner.run(file, args, options);
    if (fault === undefined) return result;
    return failure(file, fault === 'disk-full' ? 'No space left on device' : 'a fault of the test');
  }
}

function failure(file: string, words: string): CommandResult {
  return { exitCode: 1, stdout: '', stderr: `${file}: ${words}\n` };
}
