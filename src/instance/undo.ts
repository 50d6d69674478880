import { LeftoversError } from '../host/maker.js';
import type { Work } from '../host/work.js';

interface UndoStep {
  readonly what: string;
  readonly run: () => Promise<void>;
}

/**
 * Each step of a verb registers here how it is taken back. When a later one fails, all run in reverse
 * order; an undo that fails itself does not stop the others.
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

  async #unwind(): Promise<readonly string[]> {
    const failed: string[] = [];
    for (const step of this.#steps.reverse()) {
      try {
        await step.run();
      } catch {
        failed.push(step.what);
      }
    }
    return failed;
  }
}
