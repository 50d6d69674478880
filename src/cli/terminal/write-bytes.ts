import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { LaunchError } from '../../host/launch-error.js';
import { errnoOf } from '../../host/system-error.js';

/**
 * Writes bytes to a stream as fast as they are read there, and leaves the stream open.
 *
 * @throws LaunchError INTERRUPTED when the reader goes away (`… | head -c 512`)
 */
export async function writeBytes(content: AsyncIterable<Uint8Array>, stream: Writable): Promise<void> {
  await pipeline(content, stream, { end: false }).catch((error: unknown) => {
    if (errnoOf(error) !== 'EPIPE') throw error;
    throw new LaunchError('INTERRUPTED', 'nobody reads the output any more', { cause: error });
  });
}
