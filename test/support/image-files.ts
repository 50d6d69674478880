import { crc32cWithoutField } from '../../src/image/header/crc32c.js';
import type { ByteSource } from '../../src/image/header/image-file.js';

/** One write into a file: where, and a text (latin1), bytes, or a number of a width. */
export type Patch =
  | { readonly at: number; readonly text: string }
  | { readonly at: number; readonly bytes: readonly number[] }
  | { readonly at: number; readonly u8: number }
  | { readonly at: number; readonly u16le: number }
  | { readonly at: number; readonly u16be: number }
  | { readonly at: number; readonly u32le: number }
  | { readonly at: number; readonly u32be: number }
  | { readonly at: number; readonly u64le: bigint }
  | { readonly at: number; readonly u64be: bigint };

/** Writes into a copy, which grows with zeros where a write lies past the end. */
export function patched(original: Buffer, ...patches: readonly Patch[]): Buffer {
  let bytes = Buffer.from(original);
  for (const patch of patches) {
    const piece = pieceOf(patch);
    const end = patch.at + piece.length;
    if (end > bytes.length) bytes = Buffer.concat([bytes, Buffer.alloc(end - bytes.length)]);
    piece.copy(bytes, patch.at);
  }
  return bytes;
}

function pieceOf(patch: Patch): Buffer {
  if ('text' in patch) return Buffer.from(patch.text, 'latin1');
  if ('bytes' in patch) return Buffer.from(patch.bytes);
  const piece = Buffer.alloc(8);
  if ('u8' in patch) return piece.subarray(0, piece.writeUInt8(patch.u8));
  if ('u16le' in patch) return piece.subarray(0, piece.writeUInt16LE(patch.u16le));
  if ('u16be' in patch) return piece.subarray(0, piece.writeUInt16BE(patch.u16be));
  if ('u32le' in patch) return piece.subarray(0, piece.writeUInt32LE(patch.u32le));
  if ('u32be' in patch) return piece.subarray(0, piece.writeUInt32BE(patch.u32be));
  if ('u64le' in patch) return piece.subarray(0, piece.writeBigUInt64LE(patch.u64le));
  return piece.subarray(0, piece.writeBigUInt64BE(patch.u64be));
}

/** A raw disk: zeros, and a mark of its end. */
export function rawImage(lengthBytes = 65536): Buffer {
  return patched(Buffer.alloc(lengthBytes), { at: lengthBytes - 1, u8: 1 });
}

/** Where the pieces of `qcow2Image` are; its clusters have 4 KiB, its virtual disk 1 MiB. */
export const qcow2Layout = {
  extensions: 104,
  refcountTable: 4096,
  l1: 12288,
  l2: 16384,
  length: 24576,
} as const;

/** A qcow2 image of 24 KiB with one cluster in use. Version 3's header has 104 bytes here. */
export function qcow2Image(version: 2 | 3 = 3): Buffer {
  return patched(
    Buffer.alloc(qcow2Layout.length),
    { at: 0, text: 'QFI\xfb' },
    { at: 4, u32be: version },
    { at: 20, u32be: 12 },
    { at: 24, u64be: 1024n * 1024n },
    { at: 36, u32be: 1 },
    { at: 40, u64be: BigInt(qcow2Layout.l1) },
    { at: 48, u64be: BigInt(qcow2Layout.refcountTable) },
    { at: 56, u32be: 1 },
    ...(version === 3 ? [{ at: 96, u32be: 4 } as const, { at: 100, u32be: 104 } as const] : []),
    { at: qcow2Layout.refcountTable, u64be: 8192n },
    { at: 8192, bytes: [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1] },
    { at: qcow2Layout.l1, u64be: 0x8000_0000_0000_0000n + BigInt(qcow2Layout.l2) },
    { at: qcow2Layout.l2, u64be: 0x8000_0000_0000_5000n },
  );
}

/** A header extension of qcow2, padded to 8 bytes. */
export function qcow2Extension(at: number, type: number, content: string): readonly Patch[] {
  return [
    { at, u32be: type },
    { at: at + 4, u32be: content.length },
    { at: at + 8, text: content },
    { at: at + 8 + Math.ceil(content.length / 8) * 8, u64be: 0n },
  ];
}

/** The descriptor that `vmdkImage` carries unless told otherwise. */
export function vmdkDescriptor(createType = 'monolithicSparse', ...extraLines: readonly string[]): string {
  return [
    '# Disk DescriptorFile',
    'version=1',
    'CID=8c0cb297',
    'parentCID=ffffffff',
    `createType="${createType}"`,
    '',
    '# Extent description',
    'RW 2048 SPARSE "disk.vmdk"',
    '',
    '# The Disk Data Base',
    'ddb.adapterType = "ide"',
    ...extraLines,
    '',
  ].join('\n');
}

/** A VMDK of 1 MiB virtual in one file; the grain directory is at sector 21, or given by a footer. */
export function vmdkImage(descriptor = vmdkDescriptor(), options: { footer?: boolean } = {}): Buffer {
  const streamOptimized = descriptor.includes('streamOptimized');
  const header = (directory: bigint): Buffer =>
    patched(
      Buffer.alloc(512),
      { at: 0, text: 'KDMV' },
      { at: 4, u32le: streamOptimized ? 3 : 1 },
      { at: 8, u32le: streamOptimized ? 0x30001 : 1 },
      { at: 12, u64le: 2048n },
      { at: 20, u64le: 128n },
      { at: 28, u64le: 1n },
      { at: 36, u64le: 20n },
      { at: 44, u32le: 512 },
      { at: 56, u64le: directory },
      { at: 64, u64le: 128n },
      { at: 73, text: '\n \r\n' },
      { at: 77, u16le: streamOptimized ? 1 : 0 },
    );
  const body = patched(
    Buffer.alloc(65536),
    { at: 0, bytes: [...header(options.footer === true ? 0xffff_ffff_ffff_ffffn : 21n)] },
    { at: 512, text: descriptor },
    { at: 21 * 512, u32le: 22 },
  );
  if (options.footer !== true) return body;
  const marker = patched(Buffer.alloc(512), { at: 0, u64le: 1n }, { at: 12, u32le: 3 });
  return Buffer.concat([body, marker, header(21n), Buffer.alloc(512)]);
}

/** A dynamic VDI of 4 MiB virtual with no block in use. */
export function vdiImage(): Buffer {
  return patched(
    Buffer.alloc(1024, 0xff).fill(0, 0, 512),
    { at: 0, text: '<<< Oracle VM VirtualBox Disk Image >>>\n' },
    { at: 0x40, u32le: 0xbeda107f },
    { at: 0x44, u32le: 0x00010001 },
    { at: 0x48, u32le: 0x190 },
    { at: 0x4c, u32le: 1 },
    { at: 0x154, u32le: 512 },
    { at: 0x158, u32le: 1024 },
    { at: 0x168, u32le: 512 },
    { at: 0x170, u64le: 4n * 1024n * 1024n },
    { at: 0x178, u32le: 1024 * 1024 },
    { at: 0x180, u32le: 4 },
  );
}

/** Makes the checksum of a VHD footer (at 64) or dynamic header (at 36) right again. */
export function withVpcChecksum(bytes: Buffer, checksumAt: 64 | 36): Buffer {
  const cleared = patched(bytes, { at: checksumAt, u32be: 0 });
  const sum = cleared.reduce((total, byte) => total + byte, 0);
  return patched(cleared, { at: checksumAt, u32be: ~sum >>> 0 });
}

/** A VHD footer of 64 KiB virtual. @param type 2 fixed, 3 dynamic, 4 differencing. */
export function vpcFooter(type: number, ...patches: readonly Patch[]): Buffer {
  const footer = patched(
    Buffer.alloc(512),
    { at: 0, text: 'conectix' },
    { at: 8, u32be: 2 },
    { at: 12, u32be: 0x00010000 },
    { at: 16, u64be: type === 2 ? 0xffff_ffff_ffff_ffffn : 512n },
    { at: 28, text: 'win ' },
    { at: 40, u64be: 65536n },
    { at: 48, u64be: 65536n },
    { at: 56, u16be: 2 },
    { at: 58, u8: 4 },
    { at: 59, u8: 16 },
    { at: 60, u32be: type },
    ...patches,
  );
  return withVpcChecksum(footer, 64);
}

export function vpcFixedImage(footer = vpcFooter(2)): Buffer {
  return Buffer.concat([rawImage(65536), footer]);
}

export function vpcDynamicImage(footer = vpcFooter(3), ...headerPatches: readonly Patch[]): Buffer {
  const header = patched(
    Buffer.alloc(1024),
    { at: 0, text: 'cxsparse' },
    { at: 8, u64be: 0xffff_ffff_ffff_ffffn },
    { at: 16, u64be: 1536n },
    { at: 24, u32be: 0x00010000 },
    { at: 28, u32be: 1 },
    { at: 32, u32be: 2 * 1024 * 1024 },
    ...headerPatches,
  );
  return Buffer.concat([footer, withVpcChecksum(header, 36), Buffer.alloc(512, 0xff), footer]);
}

/** Where the pieces of `vhdxImage` are; its virtual disk has 8 MiB in blocks of 8 MiB. */
export const vhdxLayout = {
  header1: 65536,
  header2: 131072,
  regionTable: 196608,
  bat: 2 * 1024 * 1024,
  metadata: 3 * 1024 * 1024,
  length: 4 * 1024 * 1024,
} as const;

/** Makes the checksums of a VHDX's headers and region table right again, in place. */
export function fixVhdxChecksums(bytes: Buffer): Buffer {
  const { header1, header2, regionTable } = vhdxLayout;
  for (const [at, length] of [
    [header1, 4096],
    [header2, 4096],
    [regionTable, 65536],
  ] as const) {
    const structure = bytes.subarray(at, at + length);
    if (structure.length === length) structure.writeUInt32LE(crc32cWithoutField(structure, 4), 4);
  }
  return bytes;
}

function guidBytes(guid: string): number[] {
  const [one = '', two = '', three = '', ...rest] = guid.split('-');
  const bytes = (hex: string): number[] => [...Buffer.from(hex, 'hex')];
  return [
    ...bytes(one).reverse(),
    ...bytes(two).reverse(),
    ...bytes(three).reverse(),
    ...bytes(rest.join('')),
  ];
}

/** An entry of a VHDX region table. */
export function vhdxRegion(index: number, guid: string, offset: number, required = 1): readonly Patch[] {
  const at = vhdxLayout.regionTable + 16 + index * 32;
  return [
    { at, bytes: guidBytes(guid) },
    { at: at + 16, u64le: BigInt(offset) },
    { at: at + 24, u32le: 1024 * 1024 },
    { at: at + 28, u32le: required },
  ];
}

/** An entry of a VHDX metadata table, and its item, 16 bytes after the one before. */
export function vhdxItem(index: number, guid: string, content: Buffer, flags = 4): readonly Patch[] {
  const at = vhdxLayout.metadata + 32 + index * 32;
  const offset = 65536 + index * 16;
  return [
    { at, bytes: guidBytes(guid) },
    { at: at + 16, u32le: offset },
    { at: at + 20, u32le: content.length },
    { at: at + 24, u32le: flags },
    { at: vhdxLayout.metadata + offset, bytes: [...content] },
  ];
}

function u32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32LE(value, index * 4);
  return bytes;
}

/** A dynamic VHDX with no block in use. The patches are applied before the checksums are made. */
export function vhdxImage(...patches: readonly Patch[]): Buffer {
  const { header1, header2, regionTable, bat, metadata, length } = vhdxLayout;
  const header = (at: number, sequence: bigint): readonly Patch[] => [
    { at, text: 'head' },
    { at: at + 8, u64le: sequence },
    { at: at + 66, u16le: 1 },
    { at: at + 68, u32le: 1024 * 1024 },
    { at: at + 72, u64le: 1024n * 1024n },
  ];
  return fixVhdxChecksums(
    patched(
      Buffer.alloc(length),
      { at: 0, text: 'vhdxfile' },
      ...header(header1, 1n),
      ...header(header2, 2n),
      { at: regionTable, text: 'regi' },
      { at: regionTable + 8, u32le: 2 },
      ...vhdxRegion(0, '2dc27766-f623-4200-9d64-115e9bfd4a08', bat),
      ...vhdxRegion(1, '8b7ca206-4790-4b9a-b8fe-575f050f886e', metadata),
      { at: metadata, text: 'metadata' },
      { at: metadata + 10, u16le: 5 },
      ...vhdxItem(0, 'caa16737-fa36-4d43-b3b6-33f0aa44e76b', u32(8 * 1024 * 1024, 0)),
      ...vhdxItem(1, '2fa54224-cd1b-4876-b211-5dbed83bf4b8', u32(8 * 1024 * 1024, 0)),
      ...vhdxItem(2, 'beca12ab-b2e6-4523-93ef-c309e000c746', Buffer.alloc(16, 7)),
      ...vhdxItem(3, '8141bf1d-a96f-4709-ba47-f233a8faab5f', u32(512)),
      ...vhdxItem(4, 'cda348c7-445d-4471-9cc9-e9885251c556', u32(512)),
      ...patches,
    ),
  );
}

/** An ISO 9660 file system's volume descriptor, and nothing else. */
export function isoImage(): Buffer {
  return patched(Buffer.alloc(65536), { at: 32768, u8: 1 }, { at: 32769, text: 'CD001' });
}

/** A file in memory that counts what is read of it. */
export class CountedSource implements ByteSource {
  readonly lengthBytes: number;
  bytesRead = 0;
  largestReadBytes = 0;

  constructor(private readonly bytes: Buffer) {
    this.lengthBytes = bytes.length;
  }

  read(offset: number, length: number): Promise<Buffer> {
    this.bytesRead += length;
    this.largestReadBytes = Math.max(this.largestReadBytes, length);
    return Promise.resolve(Buffer.from(this.bytes.subarray(offset, offset + length)));
  }
}
