import { createHash, webcrypto } from 'node:crypto';
import { open } from 'node:fs/promises';
import { fileSystemError } from '../host/system-error.js';
import { checkInterrupted, type Work } from '../host/work.js';
import type { Extent, QemuImg } from '../qemu-img/qemu-img.js';

const chunkBytes = 1024 * 1024;
const chunksInFlight = 4;
const zeros = Buffer.alloc(chunkBytes);

/**
 * Digest of a raw disk's content, the same for every way to store it: holes are zeros, and zeros at the
 * end do not count, so a base that was only grown keeps its digest.
 *
 * It is the SHA-256 of, for each chunk of 1 MiB that is not all zero, in order: its index (64 bits, big
 * endian) and the SHA-256 of its content, the last chunk filled up with zeros. Chunks are hashed side by
 * side, and holes are not read.
 *
 * @returns `sha256-1m:` and 64 hexadecimal digits
 */
export async function digestRawDisk(
  path: string,
  qemuImg: QemuImg,
  work: Work & { readonly onBytes?: (doneBytes: number, totalBytes: number) => void } = {},
): Promise<string> {
  const indexes = chunksWithData(await qemuImg.map(path, 'raw', work));
  const total = createHash('sha256');
  const handle = await open(path, 'r').catch((error: unknown) => {
    throw fileSystemError('read', path, error);
  });
  try {
    for (let first = 0; first < indexes.length; first += chunksInFlight) {
      checkInterrupted(work);
      const batch = indexes.slice(first, first + chunksInFlight);
      const digests = await Promise.all(
        batch.map(async (index) => {
          const chunk = Buffer.alloc(chunkBytes);
          await handle.read(chunk, 0, chunkBytes, index * chunkBytes);
          if (chunk.equals(zeros)) return undefined;
          return Buffer.from(await webcrypto.subtle.digest('SHA-256', chunk));
        }),
      );
      for (const [position, digest] of digests.entries()) {
        if (digest === undefined) continue;
        const index = Buffer.alloc(8);
        index.writeBigUInt64BE(BigInt(batch[position] ?? 0));
        total.update(index).update(digest);
      }
      work.onBytes?.((first + batch.length) * chunkBytes, indexes.length * chunkBytes);
    }
  } finally {
    await handle.close();
  }
  return `sha256-1m:${total.digest('hex')}`;
}

/** Indexes of the chunks that may hold something, ascending, each once. */
export function chunksWithData(extents: readonly Extent[]): readonly number[] {
  const indexes: number[] = [];
  for (const extent of extents) {
    if (!extent.data || extent.lengthBytes === 0) continue;
    const first = Math.floor(extent.startBytes / chunkBytes);
    const last = Math.floor((extent.startBytes + extent.lengthBytes - 1) / chunkBytes);
    const previous = indexes.at(-1) ?? -1;
    for (let index = Math.max(first, previous + 1); index <= last; index += 1) indexes.push(index);
  }
  return indexes;
}
