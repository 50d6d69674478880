import { chmod, truncate } from 'node:fs/promises';
import { readBootId } from '../host/boot-id.js';
import { findFileStat, moveIntoPlace, removeTree } from '../host/files.js';
import { checkFreeSpace, tryReflink } from '../host/file-system.js';
import { LaunchError } from '../host/launch-error.js';
import type { Lock } from '../host/lock.js';
import type { Maker } from '../host/maker.js';
import type { HomePaths } from '../host/paths.js';
import { fileSystemError } from '../host/system-error.js';
import { bytesPerGib } from '../host/units.js';
import { timed, type Work } from '../host/work.js';
import type { ImageRecord } from '../image/image-record.js';
import type { QemuImg } from '../qemu-img/qemu-img.js';
import type { BaseFormat } from './base-format.js';
import {
  baseFormatOf,
  baseName,
  findBaseRecord,
  seenState,
  writeBaseRecord,
  type BaseRecord,
} from './base-record.js';
import { readDigest, type DiskDigest } from './digest.js';
import { syncFile } from './settle-base.js';
import { changedBase, checkBase } from './verify-base.js';

export interface MakeBaseOptions {
  readonly maker: Maker;
  readonly now: Date;
  readonly work?: Work;
  readonly format?: BaseFormat;
  readonly onProgress?: (message: string, doneBytes?: number, totalBytes?: number) => void;
}

/**
 * Makes the base of an image for a size, as a clone of `source` if that is given. It is in place but
 * unsettled afterwards: see settle-base.ts. The caller holds the image's lock exclusively.
 *
 * @throws LaunchError DISK_FULL, BASE_CHANGED, IMAGE_CORRUPT, INTERRUPTED
 */
export async function makeBase(
  home: HomePaths,
  image: ImageRecord,
  diskGib: number,
  source: BaseRecord | undefined,
  qemuImg: QemuImg,
  lock: Lock,
  options: MakeBaseOptions,
): Promise<BaseRecord> {
  const format = options.format ?? 'raw';
  const name = baseName(image.id, diskGib, format);
  const { file } = home.base(name);
  const temporary = options.maker.temporaryPath(file);
  const work = options.work ?? {};
  try {
    const read =
      source === undefined
        ? await timed(work, 'convert', () =>
            convertImage(home, image, temporary, format, qemuImg, lock, options),
          )
        : await timed(work, 'clone', () => cloneBase(home, source, temporary, qemuImg, options));
    const virtualSizeBytes = diskGib === 0 ? image.virtualSizeBytes : diskGib * bytesPerGib;
    if (format === 'raw') await truncate(temporary, virtualSizeBytes);
    else await qemuImg.resize(temporary, format, virtualSizeBytes, options.work);
    await chmod(temporary, 0o444);
    const found = await findFileStat(temporary);
    if (found === undefined) throw new Error(`the new base "${temporary}" is gone`);
    const time = options.now.toISOString();
    const base: BaseRecord = {
      name,
      imageId: image.id,
      imageSha256: image.sha256,
      ...(format === 'raw' ? {} : { format }),
      virtualSizeBytes,
      digest: null,
      ...read,
      bootId: await readBootId(),
      made: source === undefined ? 'converted' : 'reflinked',
      createdAt: time,
      verifiedAt: time,
      seen: seenState(found),
    };
    const adopted = await adoptExisting(home, base, temporary, qemuImg, options);
    if (adopted !== undefined) return adopted;
    // The record first: a record without its base means nothing, a base without its record cannot be trusted.
    await writeBaseRecord(home, base, options.maker);
    await moveIntoPlace(temporary, file);
    return base;
  } catch (error) {
    await removeTree(temporary);
    throw fileSystemError('make the base', file, error);
  }
}

/**
 * A base that is there but not to be trusted, since its record is gone or it was never settled, is compared
 * with the one that was just made of the same image. Instances may be on it: it stays where it is.
 *
 * @returns undefined when there is none, or one that a crash of the host tore before it was settled
 */
async function adoptExisting(
  home: HomePaths,
  made: BaseRecord,
  temporary: string,
  qemuImg: QemuImg,
  options: MakeBaseOptions,
): Promise<BaseRecord | undefined> {
  const { file } = home.base(made.name);
  const found = await findFileStat(file);
  if (found === undefined) return undefined;
  options.onProgress?.('comparing the base that is there with a new one');
  const expected = await readDigest(temporary, baseFormatOf(made), qemuImg, options.work);
  const read = await readDigest(file, baseFormatOf(made), qemuImg, options.work).catch((error: unknown) => {
    if (error instanceof LaunchError && error.code === 'COMMAND_FAILED') return undefined;
    throw error;
  });
  if (
    read?.digest === expected.digest &&
    (baseFormatOf(made) !== 'raw' || found.sizeBytes === made.virtualSizeBytes)
  ) {
    await removeTree(temporary);
    const adopted = { ...made, ...read, seen: seenState(found) };
    await writeBaseRecord(home, adopted, options.maker);
    return adopted;
  }
  const old = await findBaseRecord(home, made.name);
  const tornByCrash = old?.digest === null && old.bootId !== made.bootId;
  if (!tornByCrash) throw changedBase(file, { ...made, ...expected }, read);
  return undefined;
}

async function convertImage(
  home: HomePaths,
  image: ImageRecord,
  temporary: string,
  format: BaseFormat,
  qemuImg: QemuImg,
  lock: Lock,
  options: MakeBaseOptions,
): Promise<Partial<DiskDigest>> {
  const path = home.image(image.id).file(image.format);
  const work = options.work ?? {};
  const action = `converting ${image.name} to ${format}`;
  // Allocated before anyone can wait, so that the first look already tells who is at work.
  await lock.tell({ action });
  const dataBytes = (await qemuImg.map(path, image.format, work))
    .filter((extent) => extent.data)
    .reduce((sum, extent) => sum + extent.lengthBytes, 0);
  await checkFreeSpace(home.bases, dataBytes, `convert "${image.name}" to ${format}`);
  let telling = Promise.resolve();
  const tell = (message: string, doneBytes: number, totalBytes: number) => {
    options.onProgress?.(message, doneBytes, totalBytes);
    telling = telling.then(() => lock.tell({ action: message, doneBytes, totalBytes }));
  };
  await qemuImg
    .convert(
      { path, format: image.format },
      { path: temporary, format },
      {
        ...work,
        onRatio: (ratio) => {
          tell(action, Math.round(ratio * dataBytes), dataBytes);
        },
      },
    )
    .finally(() => telling);
  const convertedBytes =
    format === 'raw'
      ? (await findFileStat(temporary))?.sizeBytes
      : (await qemuImg.inspect(temporary, format, work)).virtualSizeBytes;
  if (convertedBytes !== image.virtualSizeBytes) {
    throw new LaunchError(
      'IMAGE_CORRUPT',
      `the image "${image.name}" turned into ${convertedBytes ?? 0} bytes instead of ${image.virtualSizeBytes}`,
    );
  }
  // It is read while the guest starts.
  return {};
}

async function cloneBase(
  home: HomePaths,
  source: BaseRecord,
  temporary: string,
  qemuImg: QemuImg,
  options: MakeBaseOptions,
): Promise<Partial<DiskDigest>> {
  const sound = await checkBase(home, source, qemuImg, options);
  if (!(await tryReflink(home.base(source.name).file, temporary))) {
    throw new LaunchError(
      'FILE_SYSTEM',
      `cannot clone the base "${source.name}", though a trial clone worked`,
    );
  }
  // The clone is read-only like its origin, and is about to be resized.
  await chmod(temporary, 0o600);
  await syncFile(temporary);
  if (sound.digest === null) throw new Error(`the base "${source.name}" was checked and has no digest`);
  return { digest: sound.digest, ...(sound.chunks === undefined ? {} : { chunks: sound.chunks }) };
}
