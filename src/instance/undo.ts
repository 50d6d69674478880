import { LeftoversError } from '../host/maker.js';
import type { Work } from '../host/work.js';

interface UndoStep {
  readonly what: string;
  readonly run: () => Promise<void>;
}

/**
 * Each step of a verb registers here how it is taken back. When a later one fails, all run in reverse
 * order. An undo that fails stops the rest: what was made earlier may still be used by what could not be
 * taken back (a domain's disk), and is the only trace by which the next command can make up for it.
 */
export class UndoStack {
  readonly #steps: UndoStep[] = [];

  push(what: string, run: () => Promise<void>): void {
    this.#steps.push({ what, run });
  }

  /** Runs the work; when it throws, takes back what was registered, and throws the same error. */
  async guard<T>(work: Work, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      const failed = await this.#unwind();
      if (failed.length === 0) throw error;
      work.onEvent?.({
        type: 'notice',
        message: `could not undo: ${failed.join(', ')}; the next command tries again`,
      });
      throw new LeftoversError(error);
    }
  }

  /** @returns what is left, because its undo or a later one failed */
  async #unwind(): Promise<readonly string[]> {
    while (this.#steps.length > 0) {
      try {
        await this.#steps.at(-1)?.run();
      } catch {
        return this.#steps.toReversed().map((step) => step.what);
      }
      this.#steps.pop();
    }
    return [];
  }
}
