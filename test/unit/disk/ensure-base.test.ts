import {
  appendFile,
  chmod,
  copyFile,
  mkdir,
  open,
  readdir,
  rm,
  stat,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { describe, expect, it } from 'vitest';

import { baseName, findBase } from '../../../src/disk/base-record.js';
import { ensureBase, type EnsuredBase } from '../../../src/disk/ensure-base.js';
import { tryTakeLock } from '../../../src/host/lock.js';
import { asMaker } from '../../../src/host/maker.js';
import type { Work } from '../../../src/host/work.js';
import type { ImageRecord } from '../../../src/image/image-record.js';
import { imageLockPath } from '../../../src/image/image-store.js';
import type { QemuImg } from '../../../src/qemu-img/qemu-img.js';
import type { TemporaryHome } from '../../support/temporary-home.js';
import { launchErrorOf } from '../host/launch-error-of.js';
import { newHome } from '../host/new-home.js';
import { sampleImage } from '../image/sample-image.js';
import { rawQemuImg } from './raw-qemu-img.js';

const MIB = 1024 ** 2;
const now = new Date('2026-02-03T04:05:06.000Z');

async function homeWithImage(): Promise<{ readonly home: TemporaryHome; readonly image: ImageRecord }> {
  const home = await newHome();
  const image = sampleImage({ virtualSizeBytes: 3 * MIB });
  const paths = home.image(image.id);
  await mkdir(paths.directory, { recursive: true });
  const content = Buffer.alloc(3 * MIB);
  content.write('boot sector');
  content.write('the end', 3 * MIB - 7);
  await writeFile(paths.file(image.format), content);
  return { home, image };
}

/** Ensures a base as one launch would, and lets go of it. */
async function ensure(
  home: TemporaryHome,
  image: ImageRecord,
  diskGib: number,
  qemuImg: QemuImg,
  options: { work?: Work; now?: Date; onProgress?: (message: string) => void } = {},
): Promise<Omit<EnsuredBase, 'lock'>> {
  return await asMaker(home, async (maker) => {
    const { lock, ...ensured } = await ensureBase(home, image, diskGib, qemuImg, { maker, now, ...options });
    await lock.release();
    return ensured;
  });
}

/** Writes into a base behind everybody's back. */
async function tamper(path: string, at: number): Promise<void> {
  await chmod(path, 0o644);
  const handle = await open(path, 'r+');
  await handle.write(Buffer.from('x'), 0, 1, at);
  await handle.close();
  // Also where the clock of files is coarse.
  await utimes(path, 1, 1);
}

describe('invariant 1: a base, once in place, is never written again', () => {
  it('is raw, of the flavor’s size, read-only, with a record beside it', async () => {
    const { home, image } = await homeWithImage();
    const { qemuImg } = rawQemuImg();
    const { base, path, origin } = await ensure(home, image, 1, qemuImg);
    expect([origin, path]).toEqual(['converted', home.base(baseName(image.id, 1)).file]);
    const found = await stat(path);
    expect([found.size, found.mode & 0o777]).toEqual([1024 ** 3, 0o444]);
    expect(found.blocks * 512).toBeLessThan(8 * MIB);
    expect(base).toMatchObject({
      imageId: image.id,
      imageSha256: image.sha256,
      virtualSizeBytes: 1024 ** 3,
      made: 'converted',
      createdAt: now.toISOString(),
    });
    expect(await findBase(home, base.name)).toEqual(base);
    expect([...(await readdir(home.bases))].sort()).toEqual([base.name, `${base.name}.json`]);
  });

  it('has the image’s own size where the flavor has none', async () => {
    const { home, image } = await homeWithImage();
    const { base, path } = await ensure(home, image, 0, rawQemuImg().qemuImg);
    expect([base.name, (await stat(path)).size]).toEqual([baseName(image.id, 0), 3 * MIB]);
  });

  it('is found by the next launch, which converts nothing and trusts a file that nobody touched', async () => {
    const { home, image } = await homeWithImage();
    const first = await ensure(home, image, 1, rawQemuImg().qemuImg);
    const again = rawQemuImg();
    const second = await ensure(home, image, 1, again.qemuImg);
    expect(second).toEqual({ ...first, origin: 'found' });
    expect(again.runner.calls).toEqual([]);
  });

  it('never costs a second conversion for a second size', async () => {
    const { home, image } = await homeWithImage();
    const { qemuImg, count } = rawQemuImg();
    const first = await ensure(home, image, 1, qemuImg);
    const second = await ensure(home, image, 2, qemuImg);
    expect(['reflinked', 'shared']).toContain(second.origin);
    expect(second.base.digest).toBe(first.base.digest);
    expect(count('convert')).toBe(1);
    expect((await readdir(home.bases)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});

describe('invariant 3: one converts, the others wait and see its progress', () => {
  it('converts once for many that ask at once', async () => {
    const { home, image } = await homeWithImage();
    const messages = new Set<string>();
    const { qemuImg, count } = rawQemuImg();
    const ensured = await Promise.all(
      Array.from({ length: 6 }, () =>
        ensure(home, image, 1, qemuImg, { onProgress: (message) => messages.add(message) }),
      ),
    );
    expect(count('convert')).toBe(1);
    expect(ensured.filter(({ origin }) => origin === 'converted')).toHaveLength(1);
    expect(ensured.filter(({ origin }) => origin === 'found')).toHaveLength(5);
    expect(messages).toContain('converting fedora-17 to raw');
  });

  it('tells who waits what is done before there is any progress', async () => {
    const { home, image } = await homeWithImage();
    const messages: string[] = [];
    let heard: () => void;
    const waited = new Promise<void>((resolve) => (heard = resolve));
    const { qemuImg } = rawQemuImg(async ({ args }) => {
      if (args[0] !== 'convert') return undefined;
      await copyFile(args.at(-2) ?? '', args.at(-1) ?? '');
      await waited;
      return {};
    });
    const onProgress = (message: string): void => {
      messages.push(message);
      if (messages.length === 4) heard();
    };
    await Promise.all([1, 2].map(() => ensure(home, image, 1, qemuImg, { onProgress })));
    expect(messages).toContain(`waiting: process ${process.pid} is converting fedora-17 to raw`);
  });

  it('makes it anew when who was first failed', async () => {
    const { home, image } = await homeWithImage();
    let turn = 0;
    const { qemuImg, count } = rawQemuImg(async ({ args }) => {
      if (args[0] !== 'convert') return undefined;
      turn += 1;
      return turn === 1 ? { exitCode: 1, stderr: 'qemu-img: broken' } : undefined;
    });
    const results = await Promise.allSettled([1, 2, 3].map(() => ensure(home, image, 1, qemuImg)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    expect(count('convert')).toBe(2);
  });

  it('can be interrupted while it waits', async () => {
    const { home, image } = await homeWithImage();
    const lock = await tryTakeLock(imageLockPath(home, image.id));
    const controller = new AbortController();
    const { qemuImg, runner } = rawQemuImg();
    const waiting = ensure(home, image, 1, qemuImg, {
      work: { signal: controller.signal },
      onProgress: () => {
        controller.abort();
      },
    });
    expect((await launchErrorOf(waiting)).code).toBe('INTERRUPTED');
    expect(runner.calls).toEqual([]);
    await lock?.release();
  });
});

describe('invariant 6: nothing starts on a base whose digest is not the one recorded', () => {
  it('is kept from being removed while a launch holds it, and others may launch on it', async () => {
    const { home, image } = await homeWithImage();
    const { qemuImg } = rawQemuImg();
    await asMaker(home, async (maker) => {
      const first = await ensureBase(home, image, 1, qemuImg, { maker, now });
      const second = await ensureBase(home, image, 1, qemuImg, { maker, now });
      const path = imageLockPath(home, image.id);
      expect(await tryTakeLock(path)).toBeUndefined();
      await first.lock.release();
      expect(await tryTakeLock(path)).toBeUndefined();
      await second.lock.release();
      const removal = await tryTakeLock(path);
      expect(removal).toBeDefined();
      await removal?.release();
    });
  });

  it('refuses one that was written into', async () => {
    const { home, image } = await homeWithImage();
    const { qemuImg } = rawQemuImg();
    const { path, base } = await ensure(home, image, 1, qemuImg);
    await tamper(path, MIB);
    const error = await launchErrorOf(ensure(home, image, 1, qemuImg));
    expect(error.code).toBe('BASE_CHANGED');
    expect(error.details).toMatchObject({ path, expectedDigest: base.digest });
    expect(error.hint).toContain(image.id);
    // The image's lock is free again.
    const lock = await tryTakeLock(imageLockPath(home, image.id));
    expect(lock).toBeDefined();
    await lock?.release();
  });

  it('refuses to make a base of another size from one that was written into', async () => {
    const { home, image } = await homeWithImage();
    const { qemuImg } = rawQemuImg();
    await tamper((await ensure(home, image, 1, qemuImg)).path, MIB);
    expect((await launchErrorOf(ensure(home, image, 2, qemuImg))).code).toBe('BASE_CHANGED');
  });

  it('refuses one whose length changed though its content did not', async () => {
    const { home, image } = await homeWithImage();
    const { qemuImg } = rawQemuImg();
    const { path } = await ensure(home, image, 0, qemuImg);
    await chmod(path, 0o644);
    await appendFile(path, Buffer.alloc(512));
    expect((await launchErrorOf(ensure(home, image, 0, qemuImg))).code).toBe('BASE_CHANGED');
  });

  it('reads one again that was only touched, and remembers that it is sound', async () => {
    const { home, image } = await homeWithImage();
    const { qemuImg, runner } = rawQemuImg();
    const { path, base } = await ensure(home, image, 1, qemuImg);
    await utimes(path, 1, 1);
    const later = new Date('2026-03-04T05:06:07.000Z');
    const touched = await ensure(home, image, 1, qemuImg, { now: later });
    expect(touched.base).toMatchObject({ digest: base.digest, verifiedAt: later.toISOString() });
    expect((await findBase(home, base.name))?.verifiedAt).toBe(later.toISOString());
    const calls = runner.calls.length;
    await ensure(home, image, 1, qemuImg);
    expect(runner.calls).toHaveLength(calls);
  });

  it('makes a base anew whose file is gone, over its old record', async () => {
    const { home, image } = await homeWithImage();
    const { qemuImg } = rawQemuImg();
    const { path } = await ensure(home, image, 1, qemuImg);
    await rm(path);
    expect((await ensure(home, image, 1, qemuImg)).origin).toBe('converted');
  });
});

describe('invariants 5 and 10: a conversion that fails leaves nothing', () => {
  it.each([
    ['a full disk', { exitCode: 1, stderr: 'qemu-img: error: No space left on device\n' }, 'DISK_FULL'],
    ['a broken image', { exitCode: 1, stderr: 'qemu-img: Could not read\n' }, 'COMMAND_FAILED'],
  ])('after %s', async (_what, answer, code) => {
    const { home, image } = await homeWithImage();
    const { qemuImg } = rawQemuImg(async ({ args }) => {
      if (args[0] !== 'convert') return undefined;
      await writeFile(args.at(-1) ?? '', 'half');
      return answer;
    });
    expect((await launchErrorOf(ensure(home, image, 1, qemuImg))).code).toBe(code);
    expect(await readdir(home.bases)).toEqual([]);
  });

  it('after an interruption', async () => {
    const { home, image } = await homeWithImage();
    const controller = new AbortController();
    const { qemuImg } = rawQemuImg(async ({ args }) => {
      if (args[0] !== 'convert') return undefined;
      await writeFile(args.at(-1) ?? '', 'half');
      controller.abort('SIGINT');
      return { exitCode: 143 };
    });
    const work = { signal: controller.signal };
    expect((await launchErrorOf(ensure(home, image, 1, qemuImg, { work }))).code).toBe('INTERRUPTED');
    expect(await readdir(home.bases)).toEqual([]);
  });

  it('when what came out has not the image’s size', async () => {
    const { home, image } = await homeWithImage();
    const larger = { ...image, virtualSizeBytes: 4 * MIB };
    const error = await launchErrorOf(ensure(home, larger, 1, rawQemuImg().qemuImg));
    expect(error.code).toBe('IMAGE_CORRUPT');
    expect(error.message).toContain(`${3 * MIB} bytes instead of ${4 * MIB}`);
    expect(await readdir(home.bases)).toEqual([]);
  });

  it('does not begin where the free space is too small, and says how much it needs', async () => {
    const { home, image } = await homeWithImage();
    const { qemuImg, count } = rawQemuImg(async ({ args }) =>
      args[0] === 'map'
        ? { stdout: JSON.stringify([{ start: 0, length: 2 ** 52, depth: 0, zero: false, data: true }]) }
        : undefined,
    );
    const error = await launchErrorOf(ensure(home, image, 1, qemuImg));
    expect(error.code).toBe('DISK_FULL');
    expect(error.message).toContain('it needs 4 PiB');
    expect(count('convert')).toBe(0);
    expect(await readdir(home.bases)).toEqual([]);
  });
});
