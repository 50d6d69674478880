import { randomBytes } from 'node:crypto';
import { chmod, open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { errnoOf, fileSystemError } from '../../host/system-error.js';

/**
 * Writes a file whole or not at all; what is there already keeps its mode. A device or a pipe is written to
 * as it is.
 */
export async function receiveFile(
  content: AsyncIterable<Uint8Array>,
  target: string,
  options: { readonly executable: boolean },
): Promise<void> {
  try {
    const found = await findStat(target);
    if (found !== undefined && !found.isFile()) {
      await pour(content, await open(target, 'w'));
      return;
    }
    const temporary = join(dirname(target), `.${basename(target)}.${randomBytes(4).toString('hex')}.part`);
    try {
      await pour(content, await open(temporary, 'wx', options.executable ? 0o777 : 0o666));
      if (found !== undefined) await chmod(temporary, found.mode & 0o777);
      await rename(temporary, target);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  } catch (error) {
    throw fileSystemError('write', target, error);
  }
}

async function pour(content: AsyncIterable<Uint8Array>, handle: FileHandle): Promise<void> {
  try {
    for await (const piece of content) await handle.writeFile(piece);
  } finally {
    await handle.close();
  }
}

async function findStat(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
