import { open, type FileHandle } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize } from 'node:path';

/** Bytes that hold the header and its extensions in every qcow2 that has a backing file (one cluster). */
const headerBytes = 64 * 1024;
/** As much as nearly all need: QEMU writes the name right behind the extensions. */
const firstBytes = 4096;
const qcow2Magic = 0x514649fb;
const backingFormatExtension = 0xe2792aca;
/** Longest backing file name of the format. */
const maximumNameBytes = 1023;

export interface WrittenBacking {
  /** Absolute; a name relative to the overlay is resolved as QEMU does. */
  readonly path: string;
  readonly format: string | undefined;
}

/**
 * The backing file that a qcow2 names, read straight from its header (QEMU's docs/interop/qcow2.rst), so
 * that the chains of a thousand domains can be followed without a process for each.
 *
 * @returns undefined when the file has none, is no qcow2, or cannot be read
 */
export async function readWrittenBacking(path: string): Promise<WrittenBacking | undefined> {
  const header = await readStart(path);
  if (header === undefined || header.length < 72 || header.readUInt32BE(0) !== qcow2Magic) return undefined;
  const offset = Number(header.readBigUInt64BE(8));
  const length = header.readUInt32BE(16);
  if (offset === 0 || length === 0 || length > maximumNameBytes || offset + length > header.length)
    return undefined;
  const name = header.toString('utf8', offset, offset + length);
  return { path: resolveBacking(path, name), format: readFormat(header) };
}

/** The local files that a backing file's name stands for: itself, or those in QEMU's `json:{…}`. */
export function pathsNamedIn(name: string): readonly string[] {
  if (!name.startsWith('json:')) return [name];
  try {
    return absolutePathsOf(JSON.parse(name.slice('json:'.length)));
  } catch {
    return [];
  }
}

function absolutePathsOf(value: unknown): readonly string[] {
  if (typeof value === 'string') return isAbsolute(value) ? [value] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(absolutePathsOf);
}

function resolveBacking(overlay: string, name: string): string {
  const plain = name.startsWith('file:') ? name.slice('file:'.length) : name;
  // Protocols (nbd://, json:) are no paths; they stay as they are.
  if (isAbsolute(plain) || /^[a-z][a-z0-9+.-]*:/i.test(plain)) return plain;
  return normalize(join(dirname(overlay), plain));
}

function readFormat(header: Buffer): string | undefined {
  const version = header.readUInt32BE(4);
  let position = version >= 3 && header.length >= 104 ? header.readUInt32BE(100) : 72;
  while (position + 8 <= header.length) {
    const type = header.readUInt32BE(position);
    const length = header.readUInt32BE(position + 4);
    if (type === 0 || position + 8 + length > header.length) return undefined;
    if (type === backingFormatExtension) return header.toString('utf8', position + 8, position + 8 + length);
    position += 8 + Math.ceil(length / 8) * 8;
  }
  return undefined;
}

async function readStart(path: string): Promise<Buffer | undefined> {
  try {
    const handle = await open(path, 'r');
    try {
      const first = await readBytes(handle, firstBytes);
      return endsWithin(first) ? first : await readBytes(handle, headerBytes);
    } finally {
      await handle.close();
    }
  } catch {
    return undefined;
  }
}

async function readBytes(handle: FileHandle, lengthBytes: number): Promise<Buffer> {
  const content = Buffer.alloc(lengthBytes);
  const { bytesRead } = await handle.read(content, 0, lengthBytes, 0);
  return content.subarray(0, bytesRead);
}

/** Whether there is no backing file, or its name ends within what was read. */
function endsWithin(header: Buffer): boolean {
  if (header.length < firstBytes || header.readUInt32BE(0) !== qcow2Magic) return true;
  return Number(header.readBigUInt64BE(8)) + header.readUInt32BE(16) <= header.length;
}
