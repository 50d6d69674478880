import { ensureDirectory, findFileStat, removeTree } from '../host/files.js';
import { tryReflink } from '../host/file-system.js';
import { takeLock, type Lock, type LockHolder } from '../host/lock.js';
import type { Maker } from '../host/maker.js';
import type { HomePaths } from '../host/paths.js';
import { timed } from '../host/work.js';
import type { ImageRecord } from '../image/image-record.js';
import { imageLockPath } from '../image/image-store.js';
import type { QemuImg } from '../qemu-img/qemu-img.js';
import type { BaseFormat } from './base-format.js';
import type { BaseOrigin } from './base-origin.js';
import { baseFormatOf, baseName, findBase, listBases, markUsed, type BaseRecord } from './base-record.js';
import { makeBase, type MakeBaseOptions } from './make-base.js';
import { settleBase } from './settle-base.js';
import { checkBase, isTrustedUnsettled } from './verify-base.js';

export interface EnsuredBase {
  readonly base: BaseRecord;
  readonly path: string;
  readonly origin: BaseOrigin;
  /** Keeps the base from being removed until something that shows points at it. */
  readonly lock: Lock;
}

export interface BaseOptions extends MakeBaseOptions {
  /** Leaves a new base unsettled: the caller calls settleBase before it lets go of the lock. */
  readonly deferSettling?: boolean;
}

/**
 * The base of an image for a size: made exactly once, by whoever comes first; the others wait and see
 * how far it is. A second size never costs a second conversion or copy.
 *
 * @param diskGib the flavor's root disk, 0 for the image's own size
 * @throws LaunchError DISK_FULL, BASE_CHANGED, IMAGE_CORRUPT, INTERRUPTED
 */
export async function ensureBase(
  home: HomePaths,
  image: ImageRecord,
  diskGib: number,
  qemuImg: QemuImg,
  options: BaseOptions,
): Promise<EnsuredBase> {
  await ensureDirectory(home.bases);
  const lockPath = imageLockPath(home, image.id);
  const waiting = {
    ...(options.work === undefined ? {} : { work: options.work }),
    onWait: (holder: LockHolder | undefined) => {
      tellWait(holder, options);
    },
  };
  const work = options.work ?? {};
  const shared = await timed(work, 'wait for the base', () =>
    takeLock(lockPath, { ...waiting, shared: true }),
  );
  const found = await orRelease(shared, () => findUsableBase(home, image, diskGib, qemuImg, options));
  if (found !== undefined) return { ...found, lock: shared };
  await shared.release();

  const exclusive = await timed(work, 'wait for the base', () => takeLock(lockPath, waiting));
  return await orRelease(exclusive, async () => {
    // Another process may have been first.
    const existing = await findUsableBase(home, image, diskGib, qemuImg, options);
    if (existing !== undefined) {
      await exclusive.downgrade();
      return { ...existing, lock: exclusive };
    }
    const source = await findOtherBase(home, image, options.format);
    const made = await makeBase(home, image, diskGib, source, qemuImg, exclusive, options);
    const base = options.deferSettling === true ? made : await settleBase(home, made, qemuImg, options);
    await markUsed(home, base.name, options.now);
    await exclusive.downgrade();
    return { base, path: home.base(base.name).file, origin: base.made, lock: exclusive };
  });
}

type FoundBase = Omit<EnsuredBase, 'lock'>;

/** The base of this size, or one of another size where the file system cannot clone. */
async function findUsableBase(
  home: HomePaths,
  image: ImageRecord,
  diskGib: number,
  qemuImg: QemuImg,
  options: BaseOptions,
): Promise<FoundBase | undefined> {
  const name = baseName(image.id, diskGib, options.format);
  const serving = await findServingBase(home, image, name, options.format);
  if (serving === undefined) return undefined;
  if (serving.name === name) return await useBase(home, serving, 'found', qemuImg, options);
  if (await canClone(home, serving, options.maker)) return undefined;
  return await useBase(home, serving, 'shared', qemuImg, options);
}

/**
 * The base that makes a conversion unnecessary: the one of this name, or else one of another size, which is
 * cloned where files can share blocks and used as it is elsewhere.
 *
 * @throws LaunchError RECORD_INVALID
 */
export async function findServingBase(
  home: HomePaths,
  image: ImageRecord,
  name: string,
  format: BaseFormat = 'raw',
): Promise<BaseRecord | undefined> {
  const exact = await findTrustedBase(home, name);
  if (exact !== undefined) return exact;
  // What is there and not trusted is made again and compared, never put aside for another.
  if ((await findFileStat(home.base(name).file)) !== undefined) return undefined;
  return await findOtherBase(home, image, format);
}

async function useBase(
  home: HomePaths,
  found: BaseRecord,
  origin: BaseOrigin,
  qemuImg: QemuImg,
  options: BaseOptions,
): Promise<FoundBase> {
  const base = await checkBase(home, found, qemuImg, { ...options, defer: options.deferSettling ?? false });
  await markUsed(home, base.name, options.now);
  return { base, path: home.base(base.name).file, origin };
}

/** A base in place that can be trusted, or can be read again and compared with its digest. */
async function findTrustedBase(home: HomePaths, name: string): Promise<BaseRecord | undefined> {
  const base = await findBase(home, name);
  if (base?.digest !== null) return base;
  const file = await findFileStat(home.base(name).file);
  return file !== undefined && (await isTrustedUnsettled(base, file)) ? base : undefined;
}

async function findOtherBase(
  home: HomePaths,
  image: ImageRecord,
  format: BaseFormat = 'raw',
): Promise<BaseRecord | undefined> {
  for (const base of await listBases(home, image.id)) {
    if (base.imageSha256 !== image.sha256 || baseFormatOf(base) !== format) continue;
    const trusted = await findTrustedBase(home, base.name);
    if (trusted !== undefined) return trusted;
  }
  return undefined;
}

async function canClone(home: HomePaths, base: BaseRecord, maker: Maker): Promise<boolean> {
  const { file } = home.base(base.name);
  const trial = maker.temporaryPath(`${file}-trial`);
  try {
    return await tryReflink(file, trial);
  } finally {
    await removeTree(trial);
  }
}

async function orRelease<T>(lock: Lock, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    await lock.release();
    throw error;
  }
}

function tellWait(holder: LockHolder | undefined, options: BaseOptions): void {
  const message =
    holder === undefined
      ? 'waiting for another launch'
      : `waiting: process ${holder.pid} is ${holder.action}`;
  options.onProgress?.(message, holder?.doneBytes, holder?.totalBytes);
}
