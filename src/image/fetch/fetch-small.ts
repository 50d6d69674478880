import { LaunchError } from '../../host/launch-error.js';
import type { Work } from '../../host/work.js';
import { download, downloadFailed, RestartNeeded, type Fetching } from './download.js';
import type { RemoteLocation } from './remote-location.js';

const maximumRestarts = 3;

/** A file that fits into memory: checksums, a signature, a key. @throws LaunchError DOWNLOAD_FAILED, INTERRUPTED */
export async function fetchSmall(
  location: RemoteLocation,
  fetching: Fetching,
  options: { readonly maximumBytes: number; readonly allowHttp?: boolean | undefined; readonly work: Work },
): Promise<Buffer> {
  const signal = options.work.signal ?? new AbortController().signal;
  for (let restarts = 0; ; restarts += 1) {
    const chunks: Uint8Array[] = [];
    let length = 0;
    try {
      for await (const chunk of download(location, fetching, { signal, allowHttp: options.allowHttp })) {
        length += chunk.length;
        if (length > options.maximumBytes) {
          throw new LaunchError(
            'DOWNLOAD_FAILED',
            `refused "${location.shown}": it is larger than ${options.maximumBytes} bytes, so it is not what was asked for`,
          );
        }
        chunks.push(chunk);
      }
      return Buffer.concat(chunks);
    } catch (error) {
      if (!(error instanceof RestartNeeded)) throw error;
      if (restarts === maximumRestarts) throw downloadFailed(location, `it keeps changing: ${error.message}`);
    }
  }
}
