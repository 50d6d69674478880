import { unlinkSync, writeFileSync } from 'node:fs';
import { readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type locking from 'fs-native-extensions';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { fileExists } from '../../../src/host/files.js';
import { readHolder, takeLock, tryTakeLock, type Lock, type LockHolder } from '../../../src/host/lock.js';
import { launchErrorOf } from './launch-error-of.js';
import { newHome } from './new-home.js';

/** What another process does in the moment that no test could hit otherwise. */
const betweenOpenAndLock = vi.hoisted((): { run: (() => void) | undefined } => ({ run: undefined }));

vi.mock('fs-native-extensions', async (importOriginal) => {
  const { default: original } = await importOriginal<{ default: typeof locking }>();
  return {
    default: {
      ...original,
      tryLock: (...args: Parameters<typeof original.tryLock>) => {
        betweenOpenAndLock.run?.();
        return original.tryLock(...args);
      },
    },
  };
});

afterEach(() => {
  betweenOpenAndLock.run = undefined;
});

async function newLockPath(): Promise<string> {
  return (await newHome()).lock('base');
}

async function taken(path: string, options?: Parameters<typeof tryTakeLock>[1]): Promise<Lock> {
  const lock = await tryTakeLock(path, options);
  if (lock === undefined) throw new Error(`the lock "${path}" is held by another`);
  return lock;
}

/** Whether anyone else could take it now; looks without keeping it. */
async function isFree(path: string, options?: Parameters<typeof tryTakeLock>[1]): Promise<boolean> {
  const lock = await tryTakeLock(path, options);
  await lock?.release();
  return lock !== undefined;
}

/** Starts to wait, and returns once it has looked and found the lock held. */
async function startWaiting(path: string, options: Parameters<typeof takeLock>[1] = {}) {
  const holders: (LockHolder | undefined)[] = [];
  let looked: () => void;
  const firstLook = new Promise<void>((resolve) => (looked = resolve));
  const lock = takeLock(path, {
    ...options,
    onWait: (holder) => {
      holders.push(holder);
      looked();
    },
  });
  await Promise.race([firstLook, lock]);
  return { lock, holders };
}

describe('invariant 3: an exclusive lock has one holder, also within one process', () => {
  it('is refused while another handle holds it, and free again after its release', async () => {
    const path = await newLockPath();
    const first = await taken(path);
    expect(await isFree(path)).toBe(false);
    expect(await isFree(path, { shared: true })).toBe(false);
    await first.release();
    expect(await isFree(path)).toBe(true);
  });

  it('admits one of many that ask at once, and each in turn', async () => {
    const path = await newLockPath();
    let inside = 0;
    let most = 0;
    let turns = 0;
    await Promise.all(
      Array.from({ length: 8 }, async (_, index) => {
        const lock = await takeLock(path);
        inside += 1;
        most = Math.max(most, inside);
        await Promise.resolve();
        turns += 1;
        inside -= 1;
        await lock.release({ remove: index % 2 === 0 });
      }),
    );
    expect({ most, turns }).toEqual({ most: 1, turns: 8 });
  });

  it('lets a waiting one in when the holder is done', async () => {
    const path = await newLockPath();
    const first = await taken(path);
    const waiting = await startWaiting(path);
    await first.release();
    const second = await waiting.lock;
    expect(await isFree(path)).toBe(false);
    await second.release();
  });
});

describe('a shared lock', () => {
  it('has many holders, and keeps an exclusive one out until the last of them is done', async () => {
    const path = await newLockPath();
    const first = await taken(path, { shared: true });
    const second = await taken(path, { shared: true });
    expect(await isFree(path)).toBe(false);
    await first.release();
    expect(await isFree(path)).toBe(false);
    expect(await isFree(path, { shared: true })).toBe(true);
    await second.release();
    expect(await isFree(path)).toBe(true);
  });

  it('comes from an exclusive one by a downgrade, which lets other shared ones in', async () => {
    const path = await newLockPath();
    const lock = await taken(path);
    await lock.tell({ action: 'converting' });
    const waiting = await startWaiting(path, { shared: true });
    await lock.downgrade();
    const other = await waiting.lock;
    expect(await isFree(path)).toBe(false);
    expect(await readHolder(path)).toBeUndefined();
    await other.release();
    expect(await isFree(path)).toBe(false);
    await lock.release();
    expect(await isFree(path)).toBe(true);
  });
});

describe('the file of a lock', () => {
  it('is made with its directory, and stays after a plain release', async () => {
    const path = await newLockPath();
    await (await taken(path)).release();
    expect(fileExists(path)).toBe(true);
  });

  it('goes with a release that removes it, also when somebody else was quicker', async () => {
    const path = await newLockPath();
    await (await taken(path)).release({ remove: true });
    expect(fileExists(path)).toBe(false);
    const lock = await taken(path);
    await unlink(path);
    await lock.release({ remove: true });
  });

  it('is made anew by who waited for one that was removed, and only one of them gets it', async () => {
    const path = await newLockPath();
    const first = await taken(path);
    const waiting = [await startWaiting(path), await startWaiting(path)];
    await first.release({ remove: true });
    const second = await Promise.race(waiting.map(({ lock }) => lock));
    // The lock is on the file that the name stands for: who comes now is kept out.
    expect(fileExists(path)).toBe(true);
    expect(await isFree(path)).toBe(false);
    await second.release();
    for (const { lock } of waiting) {
      const own = await lock;
      if (own !== second) await own.release();
    }
  });

  it('is opened again when it was removed between the opening and the locking', async () => {
    const path = await newLockPath();
    await (await taken(path)).release();
    let removals = 0;
    betweenOpenAndLock.run = () => {
      removals += 1;
      unlinkSync(path);
      // The second time somebody else has made a new one already.
      if (removals === 2) writeFileSync(path, '');
      if (removals === 3) betweenOpenAndLock.run = undefined;
    };
    const lock = await taken(path);
    expect(removals).toBe(3);
    expect(await isFree(path)).toBe(false);
    await lock.release({ remove: true });
    expect(fileExists(path)).toBe(false);
  });

  it('is not made anew when it was removed meanwhile and that was not asked for', async () => {
    const path = await newLockPath();
    await (await taken(path)).release();
    betweenOpenAndLock.run = () => {
      betweenOpenAndLock.run = undefined;
      unlinkSync(path);
    };
    expect(await tryTakeLock(path, { create: false })).toBeUndefined();
    expect(fileExists(path)).toBe(false);
  });

  it('is not made when that was not asked for', async () => {
    const path = await newLockPath();
    expect(await tryTakeLock(path, { create: false })).toBeUndefined();
    expect(fileExists(path)).toBe(false);
  });

  it('refuses with a reason when its directory is a file', async () => {
    const home = await newHome();
    await writeFile(home.locks, '');
    const error = await launchErrorOf(tryTakeLock(home.lock('base')));
    expect(error.code).toBe('FILE_SYSTEM');
    expect(error.message).toContain(home.lock('base'));
  });
});

describe('invariant 3: who waits sees who works and how far', () => {
  it('tells the process, what it does and its bytes, the newest first asked', async () => {
    const path = await newLockPath();
    const lock = await taken(path);
    await lock.tell({ action: 'converting fedora-17 to raw', doneBytes: 1_000_000, totalBytes: 2_000_000 });
    await lock.tell({ action: 'hashing', doneBytes: 1, totalBytes: 2 });
    const waiting = await startWaiting(path);
    expect(waiting.holders[0]).toEqual({
      pid: process.pid,
      action: 'hashing',
      doneBytes: 1,
      totalBytes: 2,
    });
    await lock.release();
    await (await waiting.lock).release();
  });

  it('says nothing when the holder said nothing', async () => {
    const path = await newLockPath();
    const lock = await taken(path);
    const waiting = await startWaiting(path);
    expect(waiting.holders[0]).toBeUndefined();
    await lock.release();
    await (await waiting.lock).release();
  });

  it.each([
    ['nothing', ''],
    ['half of what was written', '{"pid":12,"act'],
    ['no object', '7'],
    ['null', 'null'],
    ['a pid that is no number', '{"pid":"12","action":"converting"}'],
    ['no action', '{"pid":12}'],
  ])('takes a file that holds %s for no word at all', async (_what, content) => {
    const { root } = await newHome();
    await writeFile(join(root, 'lock'), content);
    expect(await readHolder(join(root, 'lock'))).toBeUndefined();
  });

  it('leaves no rest of a longer word behind a shorter one', async () => {
    const path = await newLockPath();
    const lock = await taken(path);
    await lock.tell({ action: 'a'.repeat(500) });
    await lock.tell({ action: 'b' });
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({ pid: process.pid, action: 'b' });
    await lock.release();
  });
});

describe('a wait that is interrupted', () => {
  it('ends at once, and takes no lock later', async () => {
    const path = await newLockPath();
    const lock = await taken(path);
    const controller = new AbortController();
    const waiting = await startWaiting(path, { work: { signal: controller.signal } });
    controller.abort('SIGINT');
    const error = await launchErrorOf(waiting.lock);
    expect(error.code).toBe('INTERRUPTED');
    expect(error.cause).toBe('SIGINT');
    await lock.release();
    expect(await isFree(path)).toBe(true);
  });

  it('does not even begin when the end was asked for before', async () => {
    const path = await newLockPath();
    const error = await launchErrorOf(takeLock(path, { work: { signal: AbortSignal.abort() } }));
    expect(error.code).toBe('INTERRUPTED');
    expect(fileExists(path)).toBe(false);
  });
});
