import { readBootId } from '../host/boot-id.js';
import { findFileStat, type FileStat } from '../host/files.js';
import { LaunchError } from '../host/launch-error.js';
import type { HomePaths } from '../host/paths.js';
import type { QemuImg } from '../qemu-img/qemu-img.js';
import { baseFormatOf, isSeenState, seenState, writeBaseRecord, type BaseRecord } from './base-record.js';
import { findChangedMib, type DiskDigest } from './digest.js';
import { readBase, settleBase, unsettledChange, type SettleOptions } from './settle-base.js';

/**
 * Makes sure that a base is what its record says before anything starts on it. A base whose file was not
 * touched since it was last verified is trusted; any other is read again.
 *
 * @param options.defer leaves a base unsettled that is; whoever asks settles it
 * @throws LaunchError BASE_CHANGED, DISK_MISSING
 */
export async function checkBase(
  home: HomePaths,
  base: BaseRecord,
  qemuImg: QemuImg,
  options: SettleOptions & { readonly defer?: boolean },
): Promise<BaseRecord> {
  const found = await getFile(home, base);
  if (base.digest === null) {
    if (!(await isTrustedUnsettled(base, found))) throw unsettledChange(home.base(base.name).file, base);
    return options.defer === true ? base : await settleBase(home, base, qemuImg, options);
  }
  return isSeenState(base, found) ? base : await readAgain(home, base, qemuImg, options);
}

/**
 * Reads a base whatever its file looks like, and compares its digest with the record's.
 *
 * @throws LaunchError BASE_CHANGED, DISK_MISSING
 */
export async function verifyBase(
  home: HomePaths,
  base: BaseRecord,
  qemuImg: QemuImg,
  options: SettleOptions,
): Promise<BaseRecord> {
  if (base.digest === null) return await checkBase(home, base, qemuImg, options);
  return await readAgain(home, base, qemuImg, options);
}

/** Whether an unsettled base is as it was put in place, by a process of this boot. */
export async function isTrustedUnsettled(base: BaseRecord, found: FileStat): Promise<boolean> {
  return isSeenState(base, found) && base.bootId === (await readBootId());
}

async function readAgain(
  home: HomePaths,
  base: BaseRecord,
  qemuImg: QemuImg,
  options: SettleOptions,
): Promise<BaseRecord> {
  const { file } = home.base(base.name);
  const before = await getFile(home, base);
  const read = await readBase(file, base, qemuImg, options);
  const sizeChanged = baseFormatOf(base) === 'raw' && before.sizeBytes !== base.virtualSizeBytes;
  if (read.digest !== base.digest || sizeChanged) throw changedBase(file, base, read);
  const verified = {
    ...base,
    chunks: read.chunks,
    seen: seenState(before),
    verifiedAt: options.now.toISOString(),
  };
  await writeBaseRecord(home, verified, options.maker);
  return verified;
}

async function getFile(home: HomePaths, base: BaseRecord): Promise<FileStat> {
  const { file } = home.base(base.name);
  const found = await findFileStat(file);
  if (found !== undefined) return found;
  throw new LaunchError('DISK_MISSING', `the base "${file}" is missing`, { details: { path: file } });
}

/** @param found what it is now; undefined when it cannot be read */
export function changedBase(
  file: string,
  base: Pick<BaseRecord, 'imageId' | 'digest' | 'chunks'>,
  found: DiskDigest | undefined,
): LaunchError {
  const changedMib = found === undefined ? undefined : findChangedMib(base, found);
  return new LaunchError(
    'BASE_CHANGED',
    `the base "${file}" is not what it was when it was made${describeChange(changedMib)}`,
    {
      hint: [
        'whatever was written into it shows through in every instance on it, so nothing is started on it;',
        'delete those instances, and the next launch makes the base anew:  launch inspect --image ' +
          base.imageId,
      ].join('\n'),
      details: { path: file, expectedDigest: base.digest, foundDigest: found?.digest, changedMib },
    },
  );
}

const fewRanges = 4;

/** `: 3 MiB of it differ, from MiB 17 to 18 and at MiB 40`; nothing where that is not known. */
function describeChange(changedMib: readonly number[] | undefined): string {
  if (changedMib === undefined) return '';
  if (changedMib.length === 0) return ': its size differs';
  const ranges: { readonly first: number; last: number }[] = [];
  for (const index of changedMib) {
    const range = ranges.at(-1);
    if (range?.last === index - 1) range.last = index;
    else ranges.push({ first: index, last: index });
  }
  const shown = ranges
    .slice(0, fewRanges)
    .map(({ first, last }) => (first === last ? `${first}` : `${first} to ${last}`));
  if (ranges.length > fewRanges) shown.push('…');
  const verb = changedMib.length === 1 ? 'differs' : 'differ';
  return `: ${changedMib.length} MiB of it ${verb} (MiB ${shown.join(', ')})`;
}
