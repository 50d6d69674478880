import { constants, open, stat, unlink, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensureDirectory } from './files.js';
import { errnoOf, fileSystemError } from './system-error.js';
import { checkInterrupted, type Work } from './work.js';

/** What the holder of an exclusive lock says about its work, for those who wait. */
export interface LockHolder {
  readonly pid: number;
  /** What it is doing, for people: `converting fedora-17`. */
  readonly action: string;
  readonly doneBytes?: number;
  readonly totalBytes?: number;
}

export interface Lock {
  /** Tells those who wait how far the work is. Only for an exclusive lock. */
  tell(progress: Omit<LockHolder, 'pid'>): Promise<void>;
  /** From exclusive to shared without a moment in which another process could take it exclusively. */
  downgrade(): Promise<void>;
  /** `remove` also removes the file, safely: whoever waits for it notices and opens a new one. */
  release(options?: { readonly remove?: boolean }): Promise<void>;
}

const pollMinimumMs = 10;
const pollMaximumMs = 100;

/**
 * Takes a lock that the kernel keeps (an open-file-description lock, as flock): it ends with its process,
 * however that ends. Returns undefined when another holds it.
 */
export async function tryTakeLock(
  path: string,
  options: { readonly shared?: boolean; readonly create?: boolean } = {},
): Promise<Lock | undefined> {
  const handle = await openLockFile(path, options.create ?? true);
  if (handle === undefined) return undefined;
  try {
    const locks = await loadLocks();
    if (!locks.tryLock(handle.fd, 0, 0, { shared: options.shared ?? false })) {
      await handle.close();
      return undefined;
    }
    // The holder before us may have removed the file while we had it open; a lock on it excludes nobody.
    if (!(await isSameFile(handle, path))) {
      await handle.close();
      return options.create === false ? undefined : await tryTakeLock(path, options);
    }
  } catch (error) {
    await handle.close();
    throw error;
  }
  return new HeldLock(handle, path);
}

/**
 * Waits for a lock and tells, each time it looks, who holds it.
 *
 * @throws LaunchError INTERRUPTED when the signal aborts while waiting.
 */
export async function takeLock(
  path: string,
  options: {
    readonly shared?: boolean;
    readonly work?: Work;
    readonly onWait?: (holder: LockHolder | undefined) => void;
  } = {},
): Promise<Lock> {
  const work = options.work ?? {};
  for (let delayMs = pollMinimumMs; ; delayMs = Math.min(delayMs * 2, pollMaximumMs)) {
    checkInterrupted(work);
    const lock = await tryTakeLock(path, options);
    if (lock !== undefined) return lock;
    options.onWait?.(await readHolder(path));
    try {
      await sleep(delayMs, undefined, work.signal === undefined ? {} : { signal: work.signal });
    } catch (error) {
      checkInterrupted(work);
      throw error;
    }
  }
}

/** Who holds the lock, as far as the file tells; undefined when it does not say. */
export async function readHolder(path: string): Promise<LockHolder | undefined> {
  try {
    const handle = await open(path, 'r');
    try {
      const parsed: unknown = JSON.parse(await handle.readFile('utf8'));
      return isLockHolder(parsed) ? parsed : undefined;
    } finally {
      await handle.close();
    }
  } catch {
    // Half written or just removed: the next look will tell.
    return undefined;
  }
}

class HeldLock implements Lock {
  constructor(
    private readonly handle: FileHandle,
    private readonly path: string,
  ) {}

  async tell(progress: Omit<LockHolder, 'pid'>): Promise<void> {
    const text = Buffer.from(JSON.stringify({ pid: process.pid, ...progress }));
    try {
      await this.handle.write(text, 0, text.length, 0);
      await this.handle.truncate(text.length);
    } catch (error) {
      // It is for others to read; on a full disk a delete, which makes room, goes on without.
      if (!['ENOSPC', 'EDQUOT'].includes(errnoOf(error) ?? '')) throw error;
    }
  }

  async downgrade(): Promise<void> {
    await this.handle.truncate(0);
    const locks = await loadLocks();
    if (!locks.tryDowngradeLock(this.handle.fd))
      throw new Error(`lost the lock "${this.path}" while downgrading it`);
  }

  async release(options: { readonly remove?: boolean } = {}): Promise<void> {
    if (options.remove === true) {
      await unlink(this.path).catch((error: unknown) => {
        if (errnoOf(error) !== 'ENOENT') throw error;
      });
    }
    await this.handle.close();
  }
}

/** Loaded with the first lock: a list takes none. */
async function loadLocks() {
  return (await import('fs-native-extensions')).default;
}

async function openLockFile(path: string, create: boolean): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDWR | (create ? constants.O_CREAT : 0), 0o644);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw fileSystemError('open the lock', path, error);
    if (!create) return undefined;
    await ensureDirectory(dirname(path));
    return await openLockFile(path, create);
  }
}

async function isSameFile(handle: FileHandle, path: string): Promise<boolean> {
  const held = await handle.stat({ bigint: true });
  try {
    const named = await stat(path, { bigint: true });
    return held.ino === named.ino && held.dev === named.dev;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

function isLockHolder(value: unknown): value is LockHolder {
  return (
    typeof value === 'object' &&
    value !== null &&
    'pid' in value &&
    typeof value.pid === 'number' &&
    'action' in value &&
    typeof value.action === 'string'
  );
}
