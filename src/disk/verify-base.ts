import { findFileStat, writeFileAtomic, type FileStat } from '../host/files.js';
import { LaunchError } from '../host/launch-error.js';
import type { Maker } from '../host/maker.js';
import type { HomePaths } from '../host/paths.js';
import { renderRecord } from '../host/record.js';
import type { Work } from '../host/work.js';
import type { QemuImg } from '../qemu-img/qemu-img.js';
import type { BaseRecord } from './base-record.js';
import { digestRawDisk } from './digest.js';

export function seenState(found: FileStat): BaseRecord['seen'] {
  return {
    modifiedNs: found.modifiedNs.toString(),
    sizeBytes: found.sizeBytes,
    inode: found.inode.toString(),
  };
}

/**
 * Makes sure that a base is what its record says before anything starts on it. A base whose file was not
 * touched since it was last verified is trusted; any other is read again.
 *
 * @throws LaunchError BASE_CHANGED, DISK_MISSING
 */
export async function checkBase(
  home: HomePaths,
  base: BaseRecord,
  qemuImg: QemuImg,
  options: { readonly maker: Maker; readonly now: Date; readonly work?: Work },
): Promise<BaseRecord> {
  const { file, record } = home.base(base.name);
  const found = await findFileStat(file);
  if (found === undefined) {
    throw new LaunchError('DISK_MISSING', `the base "${file}" is missing`, { details: { path: file } });
  }
  const seen = seenState(found);
  if (
    seen.modifiedNs === base.seen.modifiedNs &&
    seen.sizeBytes === base.seen.sizeBytes &&
    seen.inode === base.seen.inode
  ) {
    return base;
  }
  const digest = await digestRawDisk(file, qemuImg, options.work);
  if (digest !== base.digest || seen.sizeBytes !== base.virtualSizeBytes) {
    throw new LaunchError('BASE_CHANGED', `the base "${file}" is not what it was when it was made`, {
      hint: [
        'whatever was written into it shows through in every instance on it, so nothing is started on it;',
        'delete those instances, and the next launch makes the base anew:  launch inspect --image ' +
          base.imageId,
      ].join('\n'),
      details: { path: file, expectedDigest: base.digest, foundDigest: digest },
    });
  }
  const verified = { ...base, seen, verifiedAt: options.now.toISOString() };
  await writeFileAtomic(record, renderRecord(verified), options.maker);
  return verified;
}
