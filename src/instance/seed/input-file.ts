import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { LaunchError } from '../../host/launch-error.js';
import { errnoOf, fileSystemError } from '../../host/system-error.js';
import { formatBytes } from '../../host/units.js';

/**
 * Reads a file that the user named, whatever it is: `--user-data <(make-it)` is a pipe.
 *
 * @param options.what for people: `the user-data`
 * @throws LaunchError ARGUMENT_INVALID when there is none or it is too large, PERMISSION_DENIED, FILE_SYSTEM
 */
export async function readInputFile(
  path: string,
  options: { readonly what: string; readonly maximumBytes: number },
): Promise<{ readonly content: Buffer; readonly mode: number }> {
  const { what, maximumBytes } = options;
  const absolute = resolve(path);
  try {
    const file = await open(absolute, 'r');
    try {
      const { mode } = await file.stat();
      const chunks: Buffer[] = [];
      let length = 0;
      for await (const chunk of file.createReadStream({ autoClose: false })) {
        chunks.push(chunk as Buffer);
        length += (chunk as Buffer).length;
        if (length > maximumBytes) throw tooLarge(what, absolute, maximumBytes);
      }
      return { content: Buffer.concat(chunks), mode: mode & 0o777 };
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') {
      throw new LaunchError('ARGUMENT_INVALID', `${what}: there is no file "${absolute}"`, { cause: error });
    }
    if (errnoOf(error) === 'EISDIR') {
      throw new LaunchError('ARGUMENT_INVALID', `${what}: "${absolute}" is a directory`, { cause: error });
    }
    throw fileSystemError('read', absolute, error);
  }
}

function tooLarge(what: string, path: string, maximumBytes: number): LaunchError {
  return new LaunchError(
    'ARGUMENT_INVALID',
    `${what}: "${path}" is larger than ${formatBytes(maximumBytes)}`,
    { hint: 'copy large files once the guest is up:  launch cp', details: { path, maximumBytes } },
  );
}
