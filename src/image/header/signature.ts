import type { DiskFormat } from '../../qemu-img/disk-format.js';
import type { ImageFile } from './image-file.js';

/** What a file can turn out to be, beside the formats that are imported. */
export type ForeignFormat =
  // disks that QEMU would read, but that are not let in
  | 'qcow'
  | 'qed'
  | 'luks'
  | 'cowd'
  | 'sesparse'
  | 'parallels'
  | 'bochs'
  | 'cloop'
  | 'dmg'
  // an ISO 9660 or UDF file system: raw to QEMU
  | 'iso'
  // no disks at all
  | 'gzip'
  | 'xz'
  | 'lzma'
  | 'bzip2'
  | 'zstd'
  | 'lz4'
  | 'zip'
  | '7z'
  | 'rar'
  | 'tar'
  | 'pdf'
  | 'html'
  | 'xml'
  | 'json'
  | 'git-lfs';

export type DetectedFormat = DiskFormat | ForeignFormat;

interface Signature {
  readonly format: DetectedFormat;
  readonly offset: number;
  readonly bytes: Buffer;
}

function at(offset: number, format: DetectedFormat, bytes: string | readonly number[]): Signature {
  return {
    format,
    offset,
    bytes: typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : Buffer.from(bytes),
  };
}

/** Signatures at fixed places: QEMU's block drivers' probe functions, and magic(5) for what is no disk. */
const signatures: readonly Signature[] = [
  at(0, 'qed', 'QED\0'),
  at(0, 'vmdk', 'KDMV'),
  at(0, 'cowd', 'COWD'),
  at(0, 'sesparse', [0xbe, 0xba, 0xfe, 0xca, 0, 0, 0, 0]),
  at(0, 'vpc', 'conectix'),
  at(0, 'vhdx', 'vhdxfile'),
  at(0x40, 'vdi', [0x7f, 0x10, 0xda, 0xbe]),
  at(0, 'luks', 'LUKS\xba\xbe'),
  at(0, 'parallels', 'WithoutFreeSpace'),
  at(0, 'parallels', 'WithouFreSpacExt'),
  at(0, 'bochs', 'Bochs Virtual HD Image'),
  at(0, 'cloop', '#!/bin/sh\n#V2.0 Format\nmodprobe cloop'),
  at(32769, 'iso', 'CD001'),
  at(32769, 'iso', 'BEA01'),
  at(0, 'gzip', [0x1f, 0x8b]),
  at(0, 'xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]),
  at(0, 'bzip2', 'BZh'),
  at(0, 'zstd', [0x28, 0xb5, 0x2f, 0xfd]),
  ...Array.from({ length: 16 }, (_, low) => at(0, 'zstd', [0x50 + low, 0x2a, 0x4d, 0x18])),
  at(0, 'lz4', [0x04, 0x22, 0x4d, 0x18]),
  at(0, 'zip', 'PK\x03\x04'),
  at(0, '7z', [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c]),
  at(0, 'rar', 'Rar!\x1a\x07'),
  at(257, 'tar', 'ustar'),
  at(0, 'pdf', '%PDF-'),
  at(0, 'git-lfs', 'version https://git-lfs.github.com/'),
];

/** Where QEMU looks for a fixed VHD's footer: the last sector, counting a part of a sector as one. */
export function lastSectorOffset(lengthBytes: number): number {
  return Math.max(0, Math.ceil(lengthBytes / 512) * 512 - 512);
}

/**
 * Every format whose signature the file carries, each once; none for a raw disk. All are tried, because a
 * file that is valid as two formats is read as one by whoever checks it and as the other by whoever
 * opens it (CVE-2024-40767, LP 2059809).
 */
export async function findSignatures(file: ImageFile): Promise<readonly DetectedFormat[]> {
  const found = new Set<DetectedFormat>();
  const head = await file.available(0, 4096);
  const volume = await file.available(32768, 512);

  if (head.subarray(0, 4).equals(Buffer.from('QFI\xfb', 'latin1'))) {
    found.add(head.length >= 8 && head.readUInt32BE(4) === 1 ? 'qcow' : 'qcow2');
  }
  for (const { format, offset, bytes } of signatures) {
    const there =
      offset < head.length
        ? head.subarray(offset, offset + bytes.length)
        : volume.subarray(Math.max(0, offset - 32768), Math.max(0, offset - 32768 + bytes.length));
    if (there.equals(bytes)) found.add(format);
  }
  const tail = await file.available(Math.max(0, file.lengthBytes - 1024), 1024);
  for (const start of [lastSectorOffset(file.lengthBytes), Math.max(0, file.lengthBytes - 512)]) {
    const from = start - (file.lengthBytes - tail.length);
    const word = tail.subarray(from, from + 8).toString('latin1');
    if (word === 'conectix') found.add('vpc');
    if (word.startsWith('koly')) found.add('dmg');
  }
  if (startsAsLzma(head)) found.add('lzma');
  const text = findText(head);
  if (text !== undefined) found.add(text);
  return [...found];
}

/**
 * A `.lzma` file has no magic: the usual properties, a dictionary of 2^n or 2^n + 2^(n-1) bytes, a length that is
 * unknown or below 256 GiB (as xz itself tells them), and the first byte of its range coder, always 0.
 */
function startsAsLzma(head: Buffer): boolean {
  if (head.length < 18 || head[0] !== 0x5d || head[13] !== 0) return false;
  const dictionary = head.readUInt32LE(1);
  const highest = 2 ** Math.floor(Math.log2(dictionary));
  if (dictionary < 4096 || (dictionary !== highest && dictionary !== highest * 1.5)) return false;
  const length = head.readBigUInt64LE(5);
  return length === 2n ** 64n - 1n || (length > 0n && length < 2n ** 38n);
}

/** Formats that are text, where spaces, comments and case may vary. */
function findText(head: Buffer): DetectedFormat | undefined {
  const text = head.toString('latin1').replace(/^\xef\xbb\xbf/, '');
  if (startsAsVmdkDescriptor(text)) return 'vmdk';
  const start = text.trimStart().slice(0, 64).toLowerCase();
  if (start.startsWith('<!doctype html') || start.startsWith('<html')) return 'html';
  if (start.startsWith('<?xml')) return 'xml';
  if (/^\{\s*"[\x20-\x7e]/.test(start)) return 'json';
  return undefined;
}

/** QEMU's vmdk_probe: comments and blank lines, then `version=`. */
function startsAsVmdkDescriptor(text: string): boolean {
  for (const line of text.split('\n')) {
    const word = line.trim().toLowerCase();
    if (word.startsWith('# disk descriptorfile')) return true;
    if (word === '' || word.startsWith('#')) continue;
    return /^version\s*=\s*\d/.test(word);
  }
  return false;
}
