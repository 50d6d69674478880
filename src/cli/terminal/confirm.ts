import type { Readable } from 'node:stream';

import { interruptedError } from '../../host/work.js';
import { escapeControls } from './escape.js';
import type { Terminal } from './terminal.js';

interface ConfirmOptions {
  readonly input?: Readable | undefined;
  /** Ends the question with INTERRUPTED. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks a question, `[y/N]`, and reads one line: true for y or yes only, false for anything else, the end of
 * the input, or when nobody watches. Throws INTERRUPTED when the signal asks for the end.
 */
export async function confirm(
  question: string,
  terminal: Terminal,
  options: ConfirmOptions = {},
): Promise<boolean> {
  const { signal } = options;
  if (signal?.aborted === true) throw interruptedError(signal);
  if (!terminal.interactive) return false;
  const { createInterface } = await import('node:readline');
  terminal.err(`${escapeControls(question)} [y/N] `);
  const lines = createInterface({ input: options.input ?? process.stdin });
  let onAbort: (() => void) | undefined;
  try {
    const answer = await new Promise<string | undefined>((resolve, reject) => {
      lines.once('line', resolve);
      lines.once('close', () => {
        resolve(undefined);
      });
      if (signal === undefined) return;
      onAbort = () => {
        reject(interruptedError(signal));
      };
      signal.addEventListener('abort', onAbort, { once: true });
    });
    // The answer's own newline is the person's; without an answer the next line would start beside the question.
    if (answer === undefined) terminal.err('\n');
    return /^\s*y(es)?\s*$/i.test(answer ?? '');
  } catch (error) {
    terminal.err('\n');
    throw error;
  } finally {
    if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort);
    lines.close();
  }
}
