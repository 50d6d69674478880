import { createHash, webcrypto } from 'node:crypto';
import { open } from 'node:fs/promises';
import { fileSystemError } from '../host/system-error.js';
import { checkInterrupted, type Work } from '../host/work.js';
import type { Extent, QemuImg } from '../qemu-img/qemu-img.js';

const chunkBytes = 1024 * 1024;
const chunksInFlight = 4;
const zeros = Buffer.alloc(chunkBytes);

/**
 * Digest of a disk's content as a guest sees it, the same for every way to store it: holes are zeros, and
 * zeros at the end do not count, so a base that was only grown keeps its digest.
 *
 * It is the SHA-256 of, for each chunk of 1 MiB that is not all zero, in order: its index (64 bits, big
 * endian) and the SHA-256 of its content, the last chunk filled up with zeros. Chunks are hashed side by
 * side, and holes are not read.
 *
 * @param format raw, or a qcow2 without backing file and compression: what it maps is read from the file
 * @returns `sha256-1m:` and 64 hexadecimal digits
 */
export async function digestDisk(
  path: string,
  format: 'raw' | 'qcow2',
  qemuImg: QemuImg,
  work: Work & { readonly onBytes?: (doneBytes: number, totalBytes: number) => void } = {},
): Promise<string> {
  const chunks = splitIntoChunks(await qemuImg.map(path, format, work), format);
  const total = createHash('sha256');
  const handle = await open(path, 'r').catch((error: unknown) => {
    throw fileSystemError('read', path, error);
  });
  try {
    for (let first = 0; first < chunks.length; first += chunksInFlight) {
      checkInterrupted(work);
      const batch = chunks.slice(first, first + chunksInFlight);
      const digests = await Promise.all(
        batch.map(async ({ pieces }) => {
          const content = Buffer.alloc(chunkBytes);
          for (const { position, lengthBytes, offsetBytes } of pieces) {
            await handle.read(content, position, lengthBytes, offsetBytes);
          }
          if (content.equals(zeros)) return undefined;
          return Buffer.from(await webcrypto.subtle.digest('SHA-256', content));
        }),
      );
      for (const [position, digest] of digests.entries()) {
        if (digest === undefined) continue;
        const index = Buffer.alloc(8);
        index.writeBigUInt64BE(BigInt(batch[position]?.index ?? 0));
        total.update(index).update(digest);
      }
      work.onBytes?.((first + batch.length) * chunkBytes, chunks.length * chunkBytes);
    }
  } catch (error) {
    throw fileSystemError('read', path, error);
  } finally {
    await handle.close();
  }
  return `sha256-1m:${total.digest('hex')}`;
}

/** The digest of a raw disk; see digestDisk. */
export async function digestRawDisk(
  path: string,
  qemuImg: QemuImg,
  work: Parameters<typeof digestDisk>[3] = {},
): Promise<string> {
  return await digestDisk(path, 'raw', qemuImg, work);
}

interface Chunk {
  readonly index: number;
  /** Parts of the chunk that hold something: where in the chunk, and where in the file. */
  readonly pieces: readonly {
    readonly position: number;
    readonly lengthBytes: number;
    readonly offsetBytes: number;
  }[];
}

/** The chunks that may hold something, ascending, each once. */
function splitIntoChunks(extents: readonly Extent[], format: 'raw' | 'qcow2'): readonly Chunk[] {
  if (format === 'raw') {
    // Whole chunks: a file's blocks are smaller than what a hole of one costs.
    return chunksWithData(extents).map((index) => ({
      index,
      pieces: [{ position: 0, lengthBytes: chunkBytes, offsetBytes: index * chunkBytes }],
    }));
  }
  const chunks = new Map<number, { position: number; lengthBytes: number; offsetBytes: number }[]>();
  for (const extent of extents.filter(({ data, lengthBytes }) => data && lengthBytes > 0)) {
    if (extent.offsetBytes === undefined || extent.depth !== 0) {
      throw new Error('a qcow2 base has content outside of plain clusters of its own');
    }
    const end = extent.startBytes + extent.lengthBytes;
    for (let start = extent.startBytes; start < end;) {
      const index = Math.floor(start / chunkBytes);
      const next = Math.min(end, (index + 1) * chunkBytes);
      const pieces = chunks.get(index) ?? [];
      pieces.push({
        position: start - index * chunkBytes,
        lengthBytes: next - start,
        offsetBytes: extent.offsetBytes + (start - extent.startBytes),
      });
      chunks.set(index, pieces);
      start = next;
    }
  }
  return [...chunks].map(([index, pieces]) => ({ index, pieces })).sort((a, b) => a.index - b.index);
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
