import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { checkFreeSpace, tryReflink } from '../../host/file-system.js';
import { fileExists, findFileStat, moveIntoPlace, removeTree } from '../../host/files.js';
import { LaunchError } from '../../host/launch-error.js';
import { asMaker } from '../../host/maker.js';
import { fileSystemError } from '../../host/system-error.js';
import { formatBytes } from '../../host/units.js';
import { checkInterrupted, runStep, type Work } from '../../host/work.js';
import { convertForExport, type DiskFile } from '../../image/export/convert-for-export.js';
import { conversions, type ExportFormat } from '../../image/export/export-format.js';
import { writeBox } from '../../image/export/write-box.js';
import type { ImageRecord } from '../../image/image-record.js';
import { getImage } from '../../image/image-store.js';
import { copySparse } from '../../image/sparse-copy.js';
import type { Host } from '../open-host.js';

export interface ExportOptions extends Work {
  /** By default the file as it was imported. */
  readonly format?: ExportFormat | undefined;
  /** qcow2 and VMDK get compressed clusters, a box is packed with gzip; the others cannot be. */
  readonly compress?: boolean | undefined;
}

export interface ExportedImage {
  readonly image: ImageRecord;
  readonly path: string;
  readonly format: ExportFormat;
  readonly sizeBytes: number;
  /** What it uses here: less than its size where it is sparse. */
  readonly allocatedBytes: number;
}

/**
 * Writes an image to a path that does not exist yet, as it was imported or as something else. The file
 * appears whole or not at all.
 *
 * No lock is held meanwhile: a launch may make a base of the image at the same time, and an image that is
 * removed stays readable for whoever has its file open.
 *
 * @throws LaunchError FILE_SYSTEM when the path exists, ARGUMENT_INVALID, DISK_FULL, IMAGE_CORRUPT,
 * PERMISSION_DENIED
 */
export async function exportImage(
  host: Host,
  reference: string,
  target: string,
  options: ExportOptions = {},
): Promise<ExportedImage> {
  const image = await getImage(host.home, reference);
  const { format = image.format, compress = false } = options;
  checkCompression(format, compress);
  const path = resolve(target);
  if (fileExists(path)) {
    throw new LaunchError('FILE_SYSTEM', `cannot export to "${path}": it exists already`, {
      hint: 'choose another name, or remove it first',
      details: { path },
    });
  }
  const stored: DiskFile = { path: host.home.image(image.id).file(image.format), format: image.format };
  await asMaker(host.home, async (maker) => {
    const temporary = maker.temporaryPath(path);
    const scratch = maker.temporaryPath(`${path}.qcow2`);
    try {
      if (format === 'box') {
        let disk = stored;
        // qcow2 is what a box has: such a file goes in as it is.
        if (image.format !== 'qcow2') {
          disk = { path: scratch, format: 'qcow2' };
          await convertForExport(host.qemuImg, image, stored, { ...disk, compress: false }, options);
        }
        await pack(image, disk, { temporary, path }, options);
      } else if (format === image.format && !compress) {
        await copyStored(image, stored, { temporary, path }, options);
      } else {
        const to = { path: temporary, format, compress };
        await convertForExport(host.qemuImg, image, stored, to, options);
      }
      await moveIntoPlace(temporary, path);
    } catch (error) {
      await removeTree(temporary);
      throw fileSystemError('export to', path, error);
    } finally {
      await removeTree(scratch);
    }
  });
  const written = await findFileStat(path);
  return {
    image,
    path,
    format,
    sizeBytes: written?.sizeBytes ?? 0,
    allocatedBytes: written?.allocatedBytes ?? 0,
  };
}

/** The file as it was imported, as a stream. */
export async function streamImage(host: Host, reference: string): Promise<AsyncIterable<Uint8Array>> {
  const image = await getImage(host.home, reference);
  return createReadStream(host.home.image(image.id).file(image.format), { highWaterMark: 1024 * 1024 });
}

function checkCompression(format: ExportFormat, compress: boolean): void {
  if (!compress || format === 'box' || conversions[format].compressed !== undefined) return;
  throw new LaunchError('ARGUMENT_INVALID', `${format} has no compression`, {
    hint: `leave --compress out and compress the file itself, or choose one of: ${[
      ...Object.entries(conversions).flatMap(([name, { compressed }]) => (compressed ? [name] : [])),
      'box',
    ].join(', ')}`,
  });
}

async function pack(
  image: ImageRecord,
  disk: DiskFile,
  target: { readonly temporary: string; readonly path: string },
  options: ExportOptions,
): Promise<void> {
  const found = await findFileStat(disk.path);
  if (found === undefined) throw new Error(`"${disk.path}" is gone`);
  const { sizeBytes: lengthBytes } = found;
  const action = `packing ${target.path}`;
  if (options.compress !== true) {
    await checkFreeSpace(dirname(target.path), lengthBytes, `export "${image.name}"`);
  }
  await runStep(
    options,
    'packed',
    action,
    async (progress) => {
      await writeBox(image, { path: disk.path, lengthBytes }, target.temporary, {
        compress: options.compress ?? false,
        work: options,
        onProgress: (doneBytes) => {
          progress(action, doneBytes, lengthBytes);
        },
      });
      return (await findFileStat(target.temporary))?.sizeBytes ?? 0;
    },
    (bytes) => `${formatBytes(bytes)}, box for libvirt`,
  );
}

/** Shares blocks where the file system can; a copy leaves zeros out, as the import did. */
async function copyStored(
  image: ImageRecord,
  stored: DiskFile,
  target: { readonly temporary: string; readonly path: string },
  options: ExportOptions,
): Promise<void> {
  const found = await findFileStat(stored.path);
  await checkFreeSpace(dirname(target.path), found?.allocatedBytes ?? 0, `export "${image.name}"`);
  const action = `writing ${target.path}`;
  await runStep(
    options,
    'exported',
    action,
    async (progress) => {
      if (await tryReflink(stored.path, target.temporary)) return;
      const handle = await open(target.temporary, 'wx', 0o444);
      try {
        const content = createReadStream(stored.path, { highWaterMark: 1024 * 1024 });
        await copySparse(content as AsyncIterable<Uint8Array>, handle, (_chunk, doneBytes) => {
          checkInterrupted(options);
          progress(action, doneBytes, image.sizeBytes);
        });
        await handle.sync();
      } finally {
        await handle.close();
      }
    },
    () => target.path,
  );
}
