import type { CommandOptions, CommandResult, CommandRunner } from '../../src/host/command.js';
import { interruptedError } from '../../src/host/work.js';

export interface RecordedCall {
  readonly file: string;
  readonly args: readonly string[];
  readonly options: CommandOptions;
}

/** What a command answers; by default it succeeds without a word. */
export interface Answer extends Partial<CommandResult> {
  /** Standard output as it comes, piece by piece; `stdout` is all of it unless it is given too. */
  readonly pieces?: readonly string[];
}

type Script = (call: RecordedCall) => Answer | Promise<Answer>;

/**
 * Runs nothing: answers from a script and records the calls. A list is used up in order, and a call that
 * it has no answer for is an error; a function answers every call.
 */
export class ScriptedRunner implements CommandRunner {
  readonly calls: RecordedCall[] = [];
  readonly #script: Script;

  constructor(script: readonly Answer[] | Script) {
    this.#script = typeof script === 'function' ? script : (call) => this.#next(script, call);
  }

  async run(file: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    const call = { file, args, options };
    this.calls.push(call);
    if (options.signal?.aborted === true) throw interruptedError(options.signal);
    const { pieces = [], ...result } = await this.#script(call);
    for (const piece of pieces) options.onStdout?.(piece);
    return { exitCode: 0, stdout: pieces.join(''), stderr: '', ...result };
  }

  /** The command lines so far, the program first. */
  get commandLines(): readonly (readonly string[])[] {
    return this.calls.map(({ file, args }) => [file, ...args]);
  }

  #next(answers: readonly Answer[], { file, args }: RecordedCall): Answer {
    const answer = answers[this.calls.length - 1];
    if (answer === undefined) throw new Error(`the script has no answer for: ${[file, ...args].join(' ')}`);
    return answer;
  }
}
