import { Readable } from 'node:stream';
import { interruptedError } from '../host/work.js';

/**
 * A stream that ends with INTERRUPTED as soon as the signal aborts, also while it waits for its next byte,
 * as standard input may for ever.
 */
export async function* interruptible<T>(
  stream: AsyncIterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T, void, undefined> {
  const iterator = stream[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      const next = await orAborted(iterator.next(), signal);
      if (next.done === true) {
        ended = true;
        return;
      }
      yield next.value;
    }
  } finally {
    if (!ended) leave(stream, iterator);
  }
}

/** Not awaited: a generator answers only after the byte that it waits for. */
function leave(stream: AsyncIterable<unknown>, iterator: AsyncIterator<unknown>): void {
  const nothing = () => undefined;
  if (stream instanceof Readable) stream.destroy();
  void Promise.resolve(iterator.return?.()).then(nothing, nothing);
}

async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return await new Promise<T>((resolve, reject) => {
    const abort = () => {
      reject(interruptedError(signal));
    };
    if (signal.aborted) {
      promise.catch(() => undefined);
      abort();
      return;
    }
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', abort);
    });
  });
}
