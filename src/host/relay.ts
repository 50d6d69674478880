import { connect } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { LaunchError } from './launch-error.js';
import { interruptedError } from './work.js';

/**
 * Connects to a TCP port, and passes bytes on in both directions until the other end closes.
 *
 * @throws LaunchError SSH_UNREACHABLE, INTERRUPTED
 */
export async function relay(options: {
  readonly address: string;
  readonly port: number;
  readonly input: AsyncIterable<Uint8Array>;
  readonly write: (content: AsyncIterable<Uint8Array>) => Promise<void>;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { address, port, signal } = options;
  const socket = connect({ host: address, port, noDelay: true, allowHalfOpen: true });
  const close = () => {
    socket.destroy();
  };
  signal.addEventListener('abort', close, { once: true });
  // The input may have no end: it is the other side that ends a connection.
  const feeding = pipeline(options.input, socket).catch(() => undefined);
  try {
    await options.write(socket);
  } catch (error) {
    if (signal.aborted) throw interruptedError(signal);
    if (socket.bytesRead > 0) return;
    throw new LaunchError('SSH_UNREACHABLE', `cannot connect to ${address} port ${port}`, { cause: error });
  } finally {
    signal.removeEventListener('abort', close);
    socket.destroy();
    await Promise.race([feeding, Promise.resolve()]);
  }
}
