import { statfs } from 'node:fs/promises';
import { LaunchError } from '../host/launch-error.js';
import { fileSystemError } from '../host/system-error.js';
import { formatBytes } from '../host/units.js';

const lookEveryBytes = 64 * 1024 ** 2;

/**
 * Ends a write whose length nobody knows before it takes the last of a file system, which others need, too:
 * at 2 % of it, at most 1 GiB, still free.
 *
 * @returns to be called before each write, with its length
 * @throws LaunchError DISK_FULL
 */
export function guardSpace(directory: string, action: string): (bytes: number) => Promise<void> {
  /** What may be written before the next look: less where there is less. */
  let allowedBytes = 0;
  let writtenBytes = 0;
  return async (bytes) => {
    allowedBytes -= bytes;
    if (allowedBytes < 0) {
      const found = await statfs(directory).catch((error: unknown) => {
        throw fileSystemError('look at the file system of', directory, error);
      });
      const freeBytes = found.bavail * found.bsize;
      const reserveBytes = Math.min(1024 ** 3, Math.floor(found.blocks * found.bsize * 0.02));
      if (freeBytes - bytes < reserveBytes) {
        throw new LaunchError(
          'DISK_FULL',
          `cannot ${action}: after ${formatBytes(writtenBytes)} only ${formatBytes(freeBytes)} are free in "${directory}", and ${formatBytes(reserveBytes)} are kept free`,
          {
            hint: 'see what can go:\n  launch image list\n  launch list',
            details: { path: directory, writtenBytes, freeBytes, reserveBytes },
          },
        );
      }
      allowedBytes = Math.min(lookEveryBytes, (freeBytes - bytes - reserveBytes) / 2);
    }
    writtenBytes += bytes;
  };
}
