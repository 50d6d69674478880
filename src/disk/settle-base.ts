import { open } from 'node:fs/promises';
import { findFileStat } from '../host/files.js';
import { LaunchError } from '../host/launch-error.js';
import { takeLock, tryTakeLock } from '../host/lock.js';
import type { Maker } from '../host/maker.js';
import type { HomePaths } from '../host/paths.js';
import type { Work } from '../host/work.js';
import type { QemuImg } from '../qemu-img/qemu-img.js';
import {
  baseFormatOf,
  findBaseRecord,
  isSeenState,
  writeBaseRecord,
  type BaseRecord,
} from './base-record.js';
import { readDigest, type DiskDigest } from './digest.js';

export interface SettleOptions {
  readonly maker: Maker;
  readonly now: Date;
  readonly work?: Work;
  readonly onBytes?: (doneBytes: number, totalBytes: number) => void;
}

/**
 * Finishes a base that is in place and unsettled (its record has no digest yet): makes it survive a crash
 * of the host, reads it, and writes its digest down. A launch does this while its guest starts; when that
 * launch is killed, the next one does it. One process at a time does; the others wait for it, or with
 * `leaveToOthers` go on.
 *
 * @throws LaunchError BASE_CHANGED when the file is not as it was put in place
 */
export async function settleBase(
  home: HomePaths,
  base: BaseRecord,
  qemuImg: QemuImg,
  options: SettleOptions & { readonly leaveToOthers?: boolean },
): Promise<BaseRecord> {
  if (base.digest !== null) return base;
  const path = home.lock(`settle-${base.name}`);
  const lock =
    options.leaveToOthers === true
      ? await tryTakeLock(path)
      : await takeLock(path, options.work === undefined ? {} : { work: options.work });
  if (lock === undefined) return base;
  try {
    const current = (await findBaseRecord(home, base.name)) ?? base;
    return current.digest === null ? await readAndRecord(home, current, qemuImg, options) : current;
  } finally {
    await lock.release({ remove: true });
  }
}

async function readAndRecord(
  home: HomePaths,
  base: BaseRecord,
  qemuImg: QemuImg,
  options: SettleOptions,
): Promise<BaseRecord> {
  const { file } = home.base(base.name);
  // What is read comes from memory, whether it is on the disk yet or not.
  const [read] = await Promise.all([readBase(file, base, qemuImg, options), syncFile(file)]);
  const found = await findFileStat(file);
  if (found === undefined || !isSeenState(base, found)) throw unsettledChange(file, base);
  const settled = { ...base, ...read, verifiedAt: options.now.toISOString() };
  await writeBaseRecord(home, settled, options.maker);
  return settled;
}

/** Reads a base's file for its digest, and tells how far it is. */
export async function readBase(
  file: string,
  base: BaseRecord,
  qemuImg: QemuImg,
  options: Pick<SettleOptions, 'work' | 'onBytes'>,
): Promise<DiskDigest> {
  return await readDigest(file, baseFormatOf(base), qemuImg, {
    ...options.work,
    ...(options.onBytes === undefined ? {} : { onBytes: options.onBytes }),
  });
}

/** The file of a base changed before its digest was known: nobody can say what it was. */
export function unsettledChange(file: string, base: BaseRecord): LaunchError {
  return new LaunchError('BASE_CHANGED', `the base "${file}" is not what was put in place`, {
    hint: `the next launch of the image makes it again and compares the two:  launch inspect --image ${base.imageId}`,
    details: { path: file, expectedDigest: null },
  });
}

export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
