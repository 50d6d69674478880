import { chmod, open, truncate } from 'node:fs/promises';
import {
  ensureDirectory,
  fileExists,
  findFileStat,
  moveIntoPlace,
  removeTree,
  writeFileAtomic,
} from '../host/files.js';
import { checkFreeSpace, tryReflink } from '../host/file-system.js';
import { LaunchError } from '../host/launch-error.js';
import { takeLock, type Lock, type LockHolder } from '../host/lock.js';
import type { Maker } from '../host/maker.js';
import type { HomePaths } from '../host/paths.js';
import { renderRecord } from '../host/record.js';
import { fileSystemError } from '../host/system-error.js';
import { bytesPerGib } from '../host/units.js';
import type { Work } from '../host/work.js';
import type { ImageRecord } from '../image/image-record.js';
import { imageLockPath } from '../image/image-store.js';
import type { QemuImg } from '../qemu-img/qemu-img.js';
import { baseName, findBase, listBases, type BaseRecord } from './base-record.js';
import { digestRawDisk } from './digest.js';
import { checkBase, seenState } from './verify-base.js';

/** How a base came to this launch: `shared` is one of another size, which the overlay makes up for. */
export type BaseOrigin = 'found' | 'converted' | 'reflinked' | 'shared';

export interface EnsuredBase {
  readonly base: BaseRecord;
  readonly path: string;
  readonly origin: BaseOrigin;
  /** Keeps the base from being removed until something that shows points at it. */
  readonly lock: Lock;
}

export interface BaseOptions {
  readonly maker: Maker;
  readonly now: Date;
  readonly work?: Work;
  readonly onProgress?: (message: string, doneBytes?: number, totalBytes?: number) => void;
}

/**
 * The base of an image for a size: made exactly once, by whoever comes first; the others wait and see
 * how far it is. A second size never costs a second conversion or copy.
 *
 * @param diskGib the flavor's root disk, 0 for the image's own size
 * @throws LaunchError FLAVOR_TOO_SMALL, DISK_FULL, BASE_CHANGED, INTERRUPTED
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
    const made = existing ?? (await makeBase(home, image, diskGib, qemuImg, exclusive, options));
    await exclusive.downgrade();
    return { ...made, lock: exclusive };
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
  const exact = await findBase(home, baseName(image.id, diskGib));
  if (exact !== undefined) {
    const base = await checkBase(home, exact, qemuImg, options);
    return { base, path: home.base(base.name).file, origin: 'found' };
  }
  const other = await findOtherBase(home, image);
  if (other === undefined || (await canClone(home, other, options.maker))) return undefined;
  const base = await checkBase(home, other, qemuImg, options);
  return { base, path: home.base(base.name).file, origin: 'shared' };
}

async function findOtherBase(home: HomePaths, image: ImageRecord): Promise<BaseRecord | undefined> {
  return (await listBases(home, image.id)).find((base) => base.imageSha256 === image.sha256);
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

async function makeBase(
  home: HomePaths,
  image: ImageRecord,
  diskGib: number,
  qemuImg: QemuImg,
  lock: Lock,
  options: BaseOptions,
): Promise<FoundBase> {
  const name = baseName(image.id, diskGib);
  const paths = home.base(name);
  const virtualSizeBytes = diskGib === 0 ? image.virtualSizeBytes : diskGib * bytesPerGib;
  const temporary = options.maker.temporaryPath(paths.file);
  if (await fileExists(paths.file)) {
    throw new LaunchError(
      'BASE_CHANGED',
      `the base "${paths.file}" has lost its record, so nobody can tell what is in it`,
      {
        hint: `see who is on it, delete those, and remove the image:  launch inspect --image ${image.id}`,
        details: { path: paths.file },
      },
    );
  }
  try {
    const source = await findOtherBase(home, image);
    const digest =
      source === undefined
        ? await convertImage(home, image, temporary, qemuImg, lock, options)
        : await cloneBase(home, source, temporary, qemuImg, options);
    await truncate(temporary, virtualSizeBytes);
    await chmod(temporary, 0o444);
    await syncFile(temporary);
    const found = await findFileStat(temporary);
    if (found === undefined) throw new Error(`the new base "${temporary}" is gone`);
    const time = options.now.toISOString();
    const base: BaseRecord = {
      name,
      imageId: image.id,
      imageSha256: image.sha256,
      virtualSizeBytes,
      digest,
      made: source === undefined ? 'converted' : 'reflinked',
      createdAt: time,
      verifiedAt: time,
      seen: seenState(found),
    };
    // The record first: a record without its base means nothing, a base without its record cannot be trusted.
    await writeFileAtomic(paths.record, renderRecord(base), options.maker);
    await moveIntoPlace(temporary, paths.file);
    return { base, path: paths.file, origin: base.made };
  } catch (error) {
    await removeTree(temporary);
    throw fileSystemError('make the base', paths.file, error);
  }
}

async function convertImage(
  home: HomePaths,
  image: ImageRecord,
  temporary: string,
  qemuImg: QemuImg,
  lock: Lock,
  options: BaseOptions,
): Promise<string> {
  const path = home.image(image.id).file(image.format);
  const work = options.work ?? {};
  const action = `converting ${image.name} to raw`;
  // Allocated before anyone can wait, so that the first look already tells who is at work.
  await lock.tell({ action });
  const dataBytes = (await qemuImg.map(path, image.format, work))
    .filter((extent) => extent.data)
    .reduce((sum, extent) => sum + extent.lengthBytes, 0);
  await checkFreeSpace(home.bases, dataBytes, `convert "${image.name}" to raw`);
  let telling = Promise.resolve();
  const tell = (message: string, doneBytes: number, totalBytes: number) => {
    options.onProgress?.(message, doneBytes, totalBytes);
    telling = telling.then(() => lock.tell({ action: message, doneBytes, totalBytes }));
  };
  await qemuImg
    .convert(
      { path, format: image.format },
      { path: temporary, format: 'raw' },
      {
        ...work,
        onRatio: (ratio) => {
          tell(action, Math.round(ratio * dataBytes), dataBytes);
        },
      },
    )
    .finally(() => telling);
  const converted = await findFileStat(temporary);
  if (converted?.sizeBytes !== image.virtualSizeBytes) {
    throw new LaunchError(
      'IMAGE_CORRUPT',
      `the image "${image.name}" turned into ${converted?.sizeBytes ?? 0} bytes instead of ${image.virtualSizeBytes}`,
    );
  }
  return await digestRawDisk(temporary, qemuImg, work);
}

async function cloneBase(
  home: HomePaths,
  source: BaseRecord,
  temporary: string,
  qemuImg: QemuImg,
  options: BaseOptions,
): Promise<string> {
  const sound = await checkBase(home, source, qemuImg, options);
  if (!(await tryReflink(home.base(source.name).file, temporary))) {
    throw new LaunchError(
      'FILE_SYSTEM',
      `cannot clone the base "${source.name}", though a trial clone worked`,
    );
  }
  // The clone is read-only like its origin, and is about to be resized.
  await chmod(temporary, 0o600);
  return sound.digest;
}

async function orRelease<T>(lock: Lock, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function tellWait(holder: LockHolder | undefined, options: BaseOptions): void {
  const message =
    holder === undefined
      ? 'waiting for another launch'
      : `waiting: process ${holder.pid} is ${holder.action}`;
  options.onProgress?.(message, holder?.doneBytes, holder?.totalBytes);
}
