import { randomBytes } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { listDirectory, type TemporaryNames } from './files.js';
import { tryTakeLock, type Lock } from './lock.js';
import type { HomePaths } from './paths.js';

/**
 * One run of a verb that makes or removes files. While it works it holds a kernel lock whose name is in
 * the name of everything half made: `.disk.<token>.tmp`. When the lock can be taken by another process,
 * the maker is gone, and what carries its token can be cleared.
 */
export interface Maker extends TemporaryNames {
  readonly token: string;
}

/** The lock of a maker that is gone; whoever holds it clears what the maker left. */
export interface GoneMaker {
  readonly token: string;
  /** All is cleared: the trace of the maker goes too. */
  forget(): Promise<void>;
  /** Something could not be cleared: the next command tries again. */
  keep(): Promise<void>;
}

const lockPrefix = 'maker-';
const lockSuffix = '.lock';

/**
 * Runs work as a maker. Its lock file goes with it, unless `run` throws a leftovers error: then the file
 * stays, and the next command clears what could not be undone.
 */
export async function asMaker<T>(home: HomePaths, run: (maker: Maker) => Promise<T>): Promise<T> {
  const { token, lock } = await takeToken(home);
  let leftovers = false;
  try {
    return await run({
      token,
      temporaryPath: (path) => join(dirname(path), `.${basename(path)}.${token}.tmp`),
    });
  } catch (error) {
    if (!(error instanceof LeftoversError)) throw error;
    leftovers = true;
    throw error.cause;
  } finally {
    await lock.release({ remove: !leftovers });
  }
}

async function takeToken(home: HomePaths): Promise<{ readonly token: string; readonly lock: Lock }> {
  for (;;) {
    const token = `${process.pid}-${randomBytes(6).toString('hex')}`;
    const lock = await tryTakeLock(home.lock(`${lockPrefix}${token}`));
    // Another command may have taken our new file, not yet locked, for that of a maker that is gone.
    if (lock !== undefined) return { token, lock };
  }
}

/** Work failed with `cause`, and so did undoing it. */
export class LeftoversError extends Error {
  override readonly cause: unknown;

  constructor(cause: unknown) {
    super('something could not be undone');
    this.cause = cause;
  }
}

/**
 * The makers that ended without clearing up, one at a time; each must be forgotten or kept before the next
 * is asked for. Costs one look into a directory when there are none.
 */
export async function* takeGoneMakers(home: HomePaths): AsyncGenerator<GoneMaker, void, undefined> {
  for (const name of await listDirectory(home.locks)) {
    if (!name.startsWith(lockPrefix) || !name.endsWith(lockSuffix)) continue;
    const lock = await tryTakeLock(join(home.locks, name), { create: false });
    if (lock !== undefined) yield goneMaker(name, lock);
  }
}

function goneMaker(lockName: string, lock: Lock): GoneMaker {
  return {
    token: lockName.slice(lockPrefix.length, -lockSuffix.length),
    forget: () => lock.release({ remove: true }),
    keep: () => lock.release(),
  };
}

/** Names in a directory that belong to half-made things of one maker. */
export async function listTemporaryPaths(directory: string, token: string): Promise<readonly string[]> {
  return (await listDirectory(directory))
    .filter((name) => name.endsWith(`.${token}.tmp`))
    .map((name) => join(directory, name));
}
