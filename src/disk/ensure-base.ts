import { ensureDirectory, findFileStat, removeTree } from '../host/files.js';
import { tryReflink } from '../host/file-system.js';
import { takeLock, type Lock, type LockHolder } from '../host/lock.js';
import type { Maker } from '../host/maker.js';
import type { HomePaths } from '../host/paths.js';
import type { ImageRecord } from '../image/image-record.js';
import { imageLockPath } from '../image/image-store.js';
import type { QemuImg } from '../qemu-img/qemu-img.js';
import { baseFormatOf, baseName, findBase, listBases, markUsed, type BaseRecord } from './base-record.js';
import { makeBase, type MakeBaseOptions } from './make-base.js';
import { settleBase } from './settle-base.js';
import { checkBase, isTrustedUnsettled } from './verify-base.js';

/** How a base came to this launch: `shared` is one of another size, which the overlay makes up for. */
export type BaseOrigin = 'found' | 'converted' | 'reflinked' | 'shared';

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
  const shared = await takeLock(lockPath, { ...waiting, shared: true });
  const found = await orRelease(shared, () => findUsableBase(home, image, diskGib, qemuImg, options));
  if (found !== undefined) return { ...found, lock: shared };
  await shared.release();

  const exclusive = await takeLock(lockPath, waiting);
  return await orRelease(exclusive, async () => {
    // Another process may have been first.
    const existing = await findUsableBase(home, image, diskGib, qemuImg, options);
    if (existing !== undefined) {
      await exclusive.downgrade();
      return { ...existing, lock: exclusive };
    }
    const source = await findOtherBase(home, image, options);
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
  const exact = await findTrustedBase(home, baseName(image.id, diskGib, options.format));
  if (exact !== undefined) return await useBase(home, exact, 'found', qemuImg, options);
  // What is there and not trusted is made again and compared, never put aside for another.
  if ((await findFileStat(home.base(baseName(image.id, diskGib, options.format)).file)) !== undefined) {
    return undefined;
  }
  const other = await findOtherBase(home, image, options);
  if (other === undefined || (await canClone(home, other, options.maker))) return undefined;
  return await useBase(home, other, 'shared', qemuImg, options);
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
  options: BaseOptions,
): Promise<BaseRecord | undefined> {
  for (const base of await listBases(home, image.id)) {
    if (base.imageSha256 !== image.sha256 || baseFormatOf(base) !== (options.format ?? 'raw')) continue;
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
