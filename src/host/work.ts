import { LaunchError } from './launch-error.js';

/**
 * What long work tells while it runs. A step starts once, may report progress, and ends once; a notice
 * stands for itself. `message` is one short line for people, without the step's name.
 */
export type WorkEvent =
  | { readonly type: 'step-started'; readonly step: string; readonly message: string }
  | {
      readonly type: 'step-progress';
      readonly step: string;
      readonly message: string;
      readonly doneBytes?: number;
      readonly totalBytes?: number;
    }
  | { readonly type: 'step-done'; readonly step: string; readonly message: string }
  | { readonly type: 'step-failed'; readonly step: string; readonly message: string }
  | { readonly type: 'notice'; readonly message: string }
  /** Work that is too small to be shown while it runs, once it has ended; see timings.ts. */
  | { readonly type: 'span'; readonly name: string; readonly startMs: number; readonly endMs: number };

/** How a caller follows and ends long work. Both are optional: a program may just await the result. */
export interface Work {
  readonly signal?: AbortSignal | undefined;
  readonly onEvent?: ((event: WorkEvent) => void) | undefined;
}

/** Throws INTERRUPTED when the caller has asked for the end. */
export function checkInterrupted(work: Work): void {
  if (work.signal?.aborted === true) throw interruptedError(work.signal);
}

export function interruptedError(signal: AbortSignal): LaunchError {
  return new LaunchError('INTERRUPTED', 'interrupted', { cause: signal.reason });
}

/**
 * Runs one step and tells its start and its end; the result's message is the line that stays on screen.
 */
export async function runStep<T>(
  work: Work,
  step: string,
  message: string,
  run: (progress: (message: string, doneBytes?: number, totalBytes?: number) => void) => Promise<T>,
  describe: (result: T) => string,
): Promise<T> {
  checkInterrupted(work);
  work.onEvent?.({ type: 'step-started', step, message });
  try {
    const result = await run((text, doneBytes, totalBytes) => {
      work.onEvent?.({
        type: 'step-progress',
        step,
        message: text,
        ...(doneBytes === undefined ? {} : { doneBytes }),
        ...(totalBytes === undefined ? {} : { totalBytes }),
      });
    });
    work.onEvent?.({ type: 'step-done', step, message: describe(result) });
    return result;
  } catch (error) {
    work.onEvent?.({ type: 'step-failed', step, message });
    throw error;
  }
}

/** Runs what is no step of its own, and tells how long it took. */
export async function timed<T>(work: Work, name: string, run: () => Promise<T>): Promise<T> {
  const startMs = performance.now();
  try {
    return await run();
  } finally {
    work.onEvent?.({ type: 'span', name, startMs, endMs: performance.now() });
  }
}
