import { constants, copyFile, open, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { LaunchError } from './launch-error.js';
import type { Maker } from './maker.js';
import { errnoOf, fileSystemError } from './system-error.js';
import { formatBytes } from './units.js';

/** Whether files of a directory can be opened past the page cache, as QEMU's cache=none needs. */
export async function supportsDirectIo(directory: string, maker: Maker): Promise<boolean> {
  const path = maker.temporaryPath(join(directory, 'o-direct'));
  try {
    const handle = await open(path, constants.O_CREAT | constants.O_RDWR | constants.O_DIRECT, 0o600);
    await handle.close();
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EINVAL') return false;
    throw fileSystemError('write into', directory, error);
  } finally {
    await rm(path, { force: true });
  }
}

/**
 * Clones a file by sharing its blocks (FICLONE: XFS, btrfs, bcachefs). Returns false, and leaves nothing,
 * where the file system cannot.
 */
export async function tryReflink(from: string, to: string): Promise<boolean> {
  try {
    await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    // What was there before is not ours to remove.
    if (errno !== 'EEXIST') await rm(to, { force: true });
    if (errno === 'ENOTSUP' || errno === 'EOPNOTSUPP' || errno === 'EXDEV' || errno === 'EINVAL')
      return false;
    if (errno === 'ENOSYS' || errno === 'ENOTTY') return false;
    throw fileSystemError('clone', from, error);
  }
}

/** Bytes that an unprivileged write to the directory's file system may still use. */
export async function freeBytes(directory: string): Promise<number> {
  try {
    const found = await statfs(directory);
    return found.bavail * found.bsize;
  } catch (error) {
    throw fileSystemError('look at the file system of', directory, error);
  }
}

/** Refuses work that would not fit. */
export async function checkFreeSpace(directory: string, neededBytes: number, action: string): Promise<void> {
  const free = await freeBytes(directory);
  if (free >= neededBytes) return;
  throw new LaunchError(
    'DISK_FULL',
    `cannot ${action}: it needs ${formatBytes(neededBytes)} in "${directory}", and ${formatBytes(free)} are free`,
    {
      hint: 'see what can go:\n  launch df\n  launch base prune --dry-run\n  launch image list',
      details: { path: directory, neededBytes, freeBytes: free },
    },
  );
}
