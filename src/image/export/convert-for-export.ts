import { chmod, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { checkFreeSpace } from '../../host/file-system.js';
import { findFileStat } from '../../host/files.js';
import { LaunchError } from '../../host/launch-error.js';
import { formatBytes } from '../../host/units.js';
import { runStep, type Work } from '../../host/work.js';
import type { DiskFormat } from '../../qemu-img/disk-format.js';
import type { QemuImg } from '../../qemu-img/qemu-img.js';
import type { ImageRecord } from '../image-record.js';
import { conversions } from './export-format.js';

export interface DiskFile {
  readonly path: string;
  readonly format: DiskFormat;
}

/**
 * Converts an image into a new file, and looks at what came of it before anyone else can. The file is synced.
 *
 * @throws LaunchError DISK_FULL, IMAGE_CORRUPT, COMMAND_FAILED, INTERRUPTED
 */
export async function convertForExport(
  qemuImg: QemuImg,
  image: ImageRecord,
  from: DiskFile,
  to: DiskFile & { readonly compress: boolean },
  work: Work,
): Promise<void> {
  const { path: target, format } = to;
  const { compressed, plain } = conversions[format];
  const how = to.compress ? (compressed ?? plain) : plain;
  const action = `converting ${image.name} to ${format}`;
  await runStep(
    work,
    'converted',
    action,
    async (progress) => {
      const dataBytes = (await qemuImg.map(from.path, from.format, work))
        .filter((extent) => extent.data)
        .reduce((sum, extent) => sum + extent.lengthBytes, 0);
      const storedBytes = (await findFileStat(from.path))?.allocatedBytes ?? dataBytes;
      // What compresses is known only afterwards; the stored file may be compressed already.
      const neededBytes = how.compressed === true ? Math.min(dataBytes, storedBytes) : dataBytes;
      await checkFreeSpace(dirname(target), neededBytes, `export "${image.name}"`);
      await qemuImg.convert(
        from,
        { path: target, format, ...how },
        {
          ...work,
          onRatio: (ratio) => {
            progress(action, Math.round(ratio * dataBytes), dataBytes);
          },
        },
      );
      await chmod(target, 0o644);
      await syncFile(target);
      await qemuImg.check(target, format, work);
      return await checkVirtualSize(qemuImg, image, target, format, work);
    },
    (bytes) => `${format}, ${formatBytes(bytes)}`,
  );
}

/** @returns the file's length in bytes */
async function checkVirtualSize(
  qemuImg: QemuImg,
  image: ImageRecord,
  path: string,
  format: DiskFormat,
  work: Work,
): Promise<number> {
  const { virtualSizeBytes } = await qemuImg.inspect(path, format, work);
  if (virtualSizeBytes < image.virtualSizeBytes) {
    throw new LaunchError(
      'IMAGE_CORRUPT',
      `the image "${image.name}" turned into ${virtualSizeBytes} bytes instead of ${image.virtualSizeBytes}`,
    );
  }
  if (virtualSizeBytes > image.virtualSizeBytes) {
    const message = `${format} rounds sizes up: a guest sees ${virtualSizeBytes} bytes instead of ${image.virtualSizeBytes}`;
    work.onEvent?.({ type: 'notice', message });
  }
  return (await findFileStat(path))?.sizeBytes ?? 0;
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
