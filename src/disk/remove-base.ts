import { rename } from 'node:fs/promises';
import { removeTree, syncDirectory } from '../host/files.js';
import type { Maker } from '../host/maker.js';
import type { HomePaths } from '../host/paths.js';
import { errnoOf, fileSystemError } from '../host/system-error.js';

/**
 * Removes a base that nothing uses; the caller holds the image's lock exclusively and has looked. First it
 * gets a temporary name, so that a removal that is cut short is finished by the next command.
 */
export async function removeBase(home: HomePaths, name: string, maker: Maker): Promise<void> {
  const { file, record } = home.base(name);
  const doomed = maker.temporaryPath(file);
  await rename(file, doomed).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw fileSystemError('remove', file, error);
  });
  await removeTree(record);
  await syncDirectory(home.bases);
  await removeTree(doomed);
}
