import { readFileSync, statSync } from 'node:fs';
import { chmod, constants, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf, fileSystemError } from './system-error.js';

/** Makes a directory and its parents, open to search (x) for others: QEMU runs as a user of its own. */
export async function ensureDirectory(path: string): Promise<void> {
  try {
    const first = await mkdir(path, { recursive: true, mode: 0o755 });
    if (first === undefined) return;
    // The umask may have taken what QEMU's user needs.
    for (let made = path; made.length >= first.length; made = dirname(made)) await chmod(made, 0o755);
  } catch (error) {
    throw fileSystemError('make the directory', path, error);
  }
}

/** Makes one directory that must not exist, with exactly this mode, whatever the umask. */
export async function makeDirectory(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { mode });
    await chmod(path, mode);
  } catch (error) {
    throw fileSystemError('make the directory', path, error);
  }
}

/** Gives names to what is half made; see maker.ts. */
export interface TemporaryNames {
  /** Where to build what will be renamed to `path`. */
  temporaryPath(path: string): string;
}

/** Writes a file whole or not at all: temporary name, fsync, rename, fsync of the directory. */
export async function writeFileAtomic(path: string, content: string, names: TemporaryNames): Promise<void> {
  const temporary = names.temporaryPath(path);
  try {
    const handle = await open(temporary, 'w', 0o644);
    try {
      await handle.writeFile(content, 'utf8');
      await handle.sync();
    } finally {
      await handle.close();
    }
    await moveIntoPlace(temporary, path);
  } catch (error) {
    // `force` forgives ENOENT only; the first error is the one to tell.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw fileSystemError('write', path, error);
  }
}

/** Renames and makes the new name durable. */
export async function moveIntoPlace(temporary: string, path: string): Promise<void> {
  await rename(temporary, path);
  await syncDirectory(dirname(path));
}

/** Makes what was created, renamed or removed in a directory survive a crash of the host. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * The text of a small file, or undefined when there is none. It waits: reading a thousand records so takes a
 * tenth of what as many promises do.
 */
export function readTextFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw fileSystemError('read', path, error);
  }
}

/** The names in a directory; none when it does not exist. */
export async function listDirectory(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw fileSystemError('list', path, error);
  }
}

/** Waits, as {@link readTextFile} does. */
export function fileExists(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    throw fileSystemError('look at', path, error);
  }
}

export interface FileStat {
  readonly sizeBytes: number;
  /** Bytes that the file uses on the host. */
  readonly allocatedBytes: number;
  readonly modifiedNs: bigint;
  readonly inode: bigint;
}

export async function findFileStat(path: string): Promise<FileStat | undefined> {
  try {
    const found = await stat(path, { bigint: true });
    return {
      sizeBytes: Number(found.size),
      allocatedBytes: Number(found.blocks) * 512,
      modifiedNs: found.mtimeNs,
      inode: found.ino,
    };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw fileSystemError('look at', path, error);
  }
}

export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    throw fileSystemError('remove', path, error);
  }
}
