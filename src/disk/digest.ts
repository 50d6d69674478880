import { createHash, webcrypto } from 'node:crypto';
import { open } from 'node:fs/promises';
import { sideBySide } from '../host/side-by-side.js';
import { fileSystemError } from '../host/system-error.js';
import { checkInterrupted, type Work } from '../host/work.js';
import type { Extent, QemuImg } from '../qemu-img/qemu-img.js';

const chunkBytes = 1024 * 1024;
const chunksInFlight = 4;
/** A chunk in what is hashed: its index, and its SHA-256. */
const indexBytes = 8;
const entryBytes = indexBytes + 32;
const zeros = Buffer.alloc(chunkBytes);

type DigestWork = Work & { readonly onBytes?: (doneBytes: number, totalBytes: number) => void };

export interface DiskDigest {
  /** `sha256-1m:` and 64 hexadecimal digits. */
  readonly digest: string;
  /**
   * What it is the SHA-256 of, in base64: 54 characters for each MiB that holds something. It tells later
   * where a changed disk differs.
   */
  readonly chunks: string;
}

/**
 * Digest of a disk's content as a guest sees it, the same for every way to store it: holes are zeros, and
 * zeros at the end do not count, so a base that was only grown keeps its digest.
 *
 * It is the SHA-256 of, for each chunk of 1 MiB that is not all zero, in order: its index (64 bits, big
 * endian) and the SHA-256 of its content, the last chunk filled up with zeros. Chunks are hashed side by
 * side, and holes are not read.
 *
 * @param format raw, or a qcow2 without backing file and compression: what it maps is read from the file
 */
export async function readDigest(
  path: string,
  format: 'raw' | 'qcow2',
  qemuImg: QemuImg,
  work: DigestWork = {},
): Promise<DiskDigest> {
  const chunks = splitIntoChunks(await qemuImg.map(path, format, work), format);
  const handle = await open(path, 'r').catch((error: unknown) => {
    throw fileSystemError('read', path, error);
  });
  const spare: Buffer[] = [];
  let done = 0;
  const digestOf = async ({ pieces }: Chunk): Promise<Buffer | undefined> => {
    checkInterrupted(work);
    const content = spare.pop() ?? Buffer.alloc(chunkBytes);
    let filled = 0;
    for (const { position, lengthBytes, offsetBytes } of pieces) {
      content.fill(0, filled, position);
      filled = position + (await handle.read(content, position, lengthBytes, offsetBytes)).bytesRead;
    }
    content.fill(0, filled);
    const digest = content.equals(zeros)
      ? undefined
      : Buffer.from(await webcrypto.subtle.digest('SHA-256', content));
    spare.push(content);
    done += 1;
    work.onBytes?.(done * chunkBytes, chunks.length * chunkBytes);
    return digest;
  };
  const digests = await sideBySide(chunks, chunksInFlight, digestOf)
    .catch((error: unknown) => {
      throw fileSystemError('read', path, error);
    })
    .finally(() => handle.close());
  const listed: Buffer[] = [];
  for (const [position, digest] of digests.entries()) {
    if (digest === undefined) continue;
    const index = Buffer.alloc(indexBytes);
    index.writeBigUInt64BE(BigInt(chunks[position]?.index ?? 0));
    listed.push(index, digest);
  }
  const list = Buffer.concat(listed);
  return { digest: digestOfList(list), chunks: list.toString('base64') };
}

function digestOfList(list: Buffer): string {
  return `sha256-1m:${createHash('sha256').update(list).digest('hex')}`;
}

/**
 * Which MiB of a disk differ, ascending, the first being 0.
 *
 * @returns undefined when what was expected is not known chunk by chunk, or its list is damaged
 */
export function findChangedMib(
  expected: { readonly digest: string | null; readonly chunks?: string | undefined },
  found: DiskDigest,
): readonly number[] | undefined {
  if (expected.chunks === undefined) return undefined;
  const list = Buffer.from(expected.chunks, 'base64');
  if (digestOfList(list) !== expected.digest) return undefined;
  const before = chunkDigests(list);
  const now = chunkDigests(Buffer.from(found.chunks, 'base64'));
  return [...new Set([...before.keys(), ...now.keys()])]
    .filter((index) => before.get(index) !== now.get(index))
    .sort((a, b) => a - b);
}

function chunkDigests(list: Buffer): ReadonlyMap<number, string> {
  const digests = new Map<number, string>();
  for (let at = 0; at + entryBytes <= list.length; at += entryBytes) {
    const digest = list.toString('hex', at + indexBytes, at + entryBytes);
    digests.set(Number(list.readBigUInt64BE(at)), digest);
  }
  return digests;
}

/** The digest alone, of a raw disk. */
export async function digestRawDisk(path: string, qemuImg: QemuImg, work: DigestWork = {}): Promise<string> {
  return (await readDigest(path, 'raw', qemuImg, work)).digest;
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
