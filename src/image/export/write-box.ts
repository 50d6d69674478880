import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { bytesPerGib } from '../../host/units.js';
import { checkInterrupted, type Work } from '../../host/work.js';
import type { ImageRecord } from '../image-record.js';
import { renderTarHeader, tarEnd, tarPadding } from './tar-writer.js';

interface WriteBoxOptions {
  readonly compress: boolean;
  readonly work: Work;
  /** Bytes of the disk that are in the box. */
  readonly onProgress: (doneBytes: number) => void;
}

/**
 * Writes a Vagrant box for libvirt, format 1: metadata.json, Vagrantfile, box.img, in this order, so that who
 * reads it front to back knows what the disk is before it comes.
 *
 * @param disk a qcow2 file without a backing file
 * @param target a path that does not exist; synced at the end
 */
export async function writeBox(
  image: ImageRecord,
  disk: { readonly path: string; readonly lengthBytes: number },
  target: string,
  options: WriteBoxOptions,
): Promise<void> {
  const file = createWriteStream(target, {
    flags: 'wx',
    mode: 0o644,
    flush: true,
    highWaterMark: 1024 * 1024,
  });
  const pieces = boxPieces(image, disk, options);
  if (options.compress) await pipeline(pieces, createGzip({ chunkSize: 1024 * 1024 }), file);
  else await pipeline(pieces, file);
}

async function* boxPieces(
  image: ImageRecord,
  disk: { readonly path: string; readonly lengthBytes: number },
  options: WriteBoxOptions,
): AsyncGenerator<Buffer, void, undefined> {
  // The image's own time: the same image gives the same box, byte by byte.
  const modifiedAt = new Date(image.createdAt);
  let writtenBytes = 0;
  const counted = (piece: Buffer) => {
    writtenBytes += piece.length;
    return piece;
  };
  for (const [name, text] of [
    ['metadata.json', renderMetadata(image)],
    ['Vagrantfile', renderVagrantfile(image)],
  ] as const) {
    const content = Buffer.from(text);
    yield counted(renderTarHeader(name, content.length, { modifiedAt }));
    yield counted(content);
    yield counted(tarPadding(content.length));
  }
  yield counted(renderTarHeader('box.img', disk.lengthBytes, { modifiedAt }));
  let doneBytes = 0;
  for await (const chunk of createReadStream(disk.path, { highWaterMark: 1024 * 1024 })) {
    checkInterrupted(options.work);
    doneBytes += (chunk as Buffer).length;
    yield counted(chunk as Buffer);
    options.onProgress(doneBytes);
  }
  if (doneBytes !== disk.lengthBytes) throw new Error(`"${disk.path}" changed while it was read`);
  yield counted(tarPadding(doneBytes));
  yield tarEnd(writtenBytes);
}

/** vagrant-libvirt takes `virtual_size` in whole GiB, and makes its volume as large. */
export function renderMetadata(image: ImageRecord): string {
  const virtualSizeGib = Math.ceil(image.virtualSizeBytes / bytesPerGib);
  return `${JSON.stringify({ provider: 'libvirt', format: 'qcow2', virtual_size: virtualSizeGib }, undefined, 2)}\n`;
}

/** Says whom to log in as where that is known and is not Vagrant's own default. */
export function renderVagrantfile(image: ImageRecord): string {
  const user = image.properties['os_admin_user'];
  // A Vagrantfile is a program: what is not plainly a name stays out of it.
  const isName = user !== undefined && /^[a-z_][a-z0-9_-]{0,31}$/.test(user);
  const login = isName && user !== 'vagrant' ? `  config.ssh.username = '${user}'\n` : '';
  return `Vagrant.configure('2') do |config|\n${login}end\n`;
}
