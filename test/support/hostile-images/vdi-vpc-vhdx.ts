import {
  patched,
  vdiImage,
  vhdxImage,
  vhdxItem,
  vhdxLayout,
  vhdxRegion,
  vpcDynamicImage,
  vpcFixedImage,
  vpcFooter,
  type Patch,
} from '../image-files.js';
import type { HostileFile } from './hostile-file.js';

const vdi = (...patches: readonly Patch[]): (() => Buffer) => {
  return () => patched(vdiImage(), ...patches);
};
const vpcHeader = (...patches: readonly Patch[]): (() => Buffer) => {
  return () => vpcDynamicImage(vpcFooter(3), ...patches);
};
const vhdx = (...patches: readonly Patch[]): (() => Buffer) => {
  return () => vhdxImage(...patches);
};

export const hostileVdiFiles: readonly HostileFile[] = [
  { name: 'a differencing disk', bytes: vdi({ at: 0x4c, u32le: 4 }), code: 'IMAGE_BACKING_FILE' },
  { name: 'an undo disk', bytes: vdi({ at: 0x4c, u32le: 3 }), code: 'IMAGE_BACKING_FILE' },
  { name: 'a parent in a dynamic disk', bytes: vdi({ at: 0x1b8, u8: 1 }), code: 'IMAGE_BACKING_FILE' },
  { name: 'a link to a disk before it', bytes: vdi({ at: 0x1a8, u8: 1 }), code: 'IMAGE_BACKING_FILE' },
  { name: 'image type 9', bytes: vdi({ at: 0x4c, u32le: 9 }), code: 'IMAGE_FEATURE_UNKNOWN' },
  {
    name: 'version 2.0',
    bytes: vdi({ at: 0x44, u32le: 0x20000 }),
    code: 'IMAGE_FEATURE_UNKNOWN',
    says: '2.0',
  },
  { name: 'sectors of 4096 bytes', bytes: vdi({ at: 0x168, u32le: 4096 }), code: 'IMAGE_FEATURE_UNKNOWN' },
  { name: 'blocks of 0 bytes', bytes: vdi({ at: 0x178, u32le: 0 }), code: 'IMAGE_FEATURE_UNKNOWN' },
  { name: 'extra bytes in blocks', bytes: vdi({ at: 0x17c, u32le: 512 }), code: 'IMAGE_FEATURE_UNKNOWN' },
  {
    name: 'a virtual disk of 16 EiB',
    bytes: vdi({ at: 0x170, u64le: (1n << 64n) - 1n }),
    code: 'IMAGE_TOO_LARGE',
  },
  { name: 'a virtual disk of 0 bytes', bytes: vdi({ at: 0x170, u64le: 0n }), code: 'IMAGE_EMPTY' },
  { name: 'too few blocks', bytes: vdi({ at: 0x180, u32le: 3 }), code: 'IMAGE_CORRUPT' },
  { name: 'more blocks in use than there are', bytes: vdi({ at: 0x184, u32le: 5 }), code: 'IMAGE_CORRUPT' },
  { name: 'a block map of 16 GiB', bytes: vdi({ at: 0x180, u32le: 0xffffffff }), code: 'IMAGE_CORRUPT' },
  {
    name: 'a block map past the end',
    bytes: vdi({ at: 0x154, u32le: 0x10000 }, { at: 0x158, u32le: 0x20000 }),
    code: 'IMAGE_TRUNCATED',
  },
  { name: 'a block map in the header', bytes: vdi({ at: 0x154, u32le: 0 }), code: 'IMAGE_CORRUPT' },
  { name: 'data in the block map', bytes: vdi({ at: 0x158, u32le: 512 }), code: 'IMAGE_CORRUPT' },
  { name: 'blocks in use past the end', bytes: vdi({ at: 0x184, u32le: 4 }), code: 'IMAGE_TRUNCATED' },
  { name: 'half a header', bytes: () => vdiImage().subarray(0, 200), code: 'IMAGE_TRUNCATED' },
];

export const hostileVpcFiles: readonly HostileFile[] = [
  { name: 'a differencing disk', bytes: () => vpcDynamicImage(vpcFooter(4)), code: 'IMAGE_BACKING_FILE' },
  {
    name: 'a parent in a dynamic disk',
    bytes: vpcHeader({ at: 64, bytes: [0, 0x2f, 0, 0x65, 0, 0x74, 0, 0x63] }),
    code: 'IMAGE_BACKING_FILE',
    says: '("/etc")',
  },
  {
    name: 'a parent locator in a dynamic disk',
    bytes: vpcHeader({ at: 576, text: 'W2ku' }),
    code: 'IMAGE_BACKING_FILE',
  },
  {
    name: 'a parent UUID in a dynamic disk',
    bytes: vpcHeader({ at: 40, u8: 1 }),
    code: 'IMAGE_BACKING_FILE',
  },
  { name: 'disk type 9', bytes: () => vpcFixedImage(vpcFooter(9)), code: 'IMAGE_FEATURE_UNKNOWN' },
  {
    name: 'version 2',
    bytes: () => vpcFixedImage(vpcFooter(2, { at: 12, u32be: 0x20000 })),
    code: 'IMAGE_FEATURE_UNKNOWN',
  },
  {
    name: 'a wrong checksum',
    bytes: () => patched(vpcFixedImage(), { at: 65536 + 90, u8: 1 }),
    code: 'IMAGE_CORRUPT',
  },
  {
    name: 'a wrong checksum of the dynamic header',
    bytes: () => patched(vpcDynamicImage(), { at: 1400, u8: 1 }),
    code: 'IMAGE_CORRUPT',
  },
  {
    name: 'a fixed disk that begins as a dynamic one',
    bytes: () => patched(vpcFixedImage(), { at: 0, bytes: [...vpcFooter(3)] }),
    code: 'IMAGE_CORRUPT',
  },
  {
    name: 'a dynamic disk without its beginning',
    bytes: () => patched(vpcDynamicImage(), { at: 0, u8: 0 }),
    code: 'IMAGE_CORRUPT',
  },
  {
    name: 'a dynamic disk without its footer',
    bytes: () => vpcDynamicImage().subarray(0, -512),
    code: 'IMAGE_TRUNCATED',
  },
  {
    name: 'a footer that differs from its copy',
    bytes: () => patched(vpcDynamicImage(), { at: 0, bytes: [...vpcFooter(3, { at: 48, u64be: 1024n })] }),
    code: 'IMAGE_CORRUPT',
  },
  {
    name: 'a fixed disk that is too short',
    bytes: () => vpcFixedImage(vpcFooter(2, { at: 48, u64be: 1n << 30n })),
    code: 'IMAGE_TRUNCATED',
  },
  {
    name: 'a virtual disk of 16 EiB',
    bytes: () => vpcFixedImage(vpcFooter(2, { at: 48, u64be: 1n << 63n })),
    code: 'IMAGE_TOO_LARGE',
  },
  {
    name: 'a virtual disk of 0 bytes',
    bytes: () => vpcFixedImage(vpcFooter(2, { at: 48, u64be: 0n })),
    code: 'IMAGE_EMPTY',
  },
  {
    name: 'a dynamic header past the end',
    bytes: () => vpcDynamicImage(vpcFooter(3, { at: 16, u64be: 1n << 50n })),
    code: 'IMAGE_TRUNCATED',
  },
  {
    name: 'a dynamic header in the footer',
    bytes: () => vpcDynamicImage(vpcFooter(3, { at: 16, u64be: 0n })),
    code: 'IMAGE_CORRUPT',
  },
  { name: 'no cxsparse', bytes: vpcHeader({ at: 0, u8: 0 }), code: 'IMAGE_CORRUPT' },
  { name: 'blocks of 0 bytes', bytes: vpcHeader({ at: 32, u32be: 0 }), code: 'IMAGE_CORRUPT' },
  { name: 'too few blocks', bytes: vpcHeader({ at: 28, u32be: 0 }), code: 'IMAGE_CORRUPT' },
  { name: 'a table of 16 GiB', bytes: vpcHeader({ at: 28, u32be: 0xffffffff }), code: 'IMAGE_TRUNCATED' },
  { name: 'a table past the end', bytes: vpcHeader({ at: 16, u64be: 1n << 60n }), code: 'IMAGE_TRUNCATED' },
  {
    name: 'a block past the end',
    bytes: () => patched(vpcDynamicImage(), { at: 1536, u32be: 0xfffffff0 }),
    code: 'IMAGE_TRUNCATED',
  },
];

const unknownGuid = '01234567-89ab-cdef-0123-456789abcdef';
const { header1, header2, regionTable, bat, metadata } = vhdxLayout;

export const hostileVhdxFiles: readonly HostileFile[] = [
  { name: 'has a parent', bytes: vhdx({ at: metadata + 65536 + 4, u32le: 2 }), code: 'IMAGE_BACKING_FILE' },
  {
    name: 'a parent locator without the flag',
    bytes: vhdx(
      { at: metadata + 10, u16le: 6 },
      ...vhdxItem(5, 'a8d35f2d-b30b-454d-abf7-d3d84834ab0c', Buffer.alloc(16)),
    ),
    code: 'IMAGE_BACKING_FILE',
  },
  { name: 'a block in part in a parent', bytes: vhdx({ at: bat, u64le: 7n }), code: 'IMAGE_BACKING_FILE' },
  {
    name: 'a log to be replayed',
    bytes: vhdx({ at: header2 + 48, u8: 1 }),
    code: 'IMAGE_CORRUPT',
    says: 'not closed cleanly',
  },
  { name: 'version 2', bytes: vhdx({ at: header2 + 66, u16le: 2 }), code: 'IMAGE_FEATURE_UNKNOWN' },
  {
    name: 'two headers of one number',
    bytes: vhdx({ at: header1 + 8, u64le: 2n }, { at: header1 + 16, u8: 1 }),
    code: 'IMAGE_CORRUPT',
  },
  {
    name: 'both headers damaged',
    bytes: () => patched(vhdxImage(), { at: header1 + 20, u8: 1 }, { at: header2 + 20, u8: 1 }),
    code: 'IMAGE_CORRUPT',
  },
  {
    name: 'region table damaged',
    bytes: () => patched(vhdxImage(), { at: regionTable + 100, u8: 1 }),
    code: 'IMAGE_CORRUPT',
  },
  {
    name: '4 billion regions',
    bytes: vhdx({ at: regionTable + 8, u32le: 0xffffffff }),
    code: 'IMAGE_CORRUPT',
  },
  {
    name: 'an unknown region that is required',
    bytes: vhdx({ at: regionTable + 8, u32le: 3 }, ...vhdxRegion(2, unknownGuid, 3 * 1024 * 1024)),
    code: 'IMAGE_FEATURE_UNKNOWN',
    says: unknownGuid,
  },
  { name: 'no metadata region', bytes: vhdx({ at: regionTable + 8, u32le: 1 }), code: 'IMAGE_CORRUPT' },
  {
    name: 'regions that overlap',
    bytes: vhdx({ at: regionTable + 64, u64le: BigInt(bat) }),
    code: 'IMAGE_CORRUPT',
  },
  {
    name: 'a region in the headers',
    bytes: vhdx({ at: regionTable + 32, u64le: 0n }),
    code: 'IMAGE_CORRUPT',
  },
  {
    name: 'a region past the end',
    bytes: vhdx({ at: regionTable + 64, u64le: 1n << 40n }),
    code: 'IMAGE_TRUNCATED',
  },
  {
    name: 'a region of 4 GiB',
    bytes: vhdx({ at: regionTable + 72, u32le: 0xfff00000 }),
    code: 'IMAGE_TRUNCATED',
  },
  { name: 'metadata without its signature', bytes: vhdx({ at: metadata, u8: 0 }), code: 'IMAGE_CORRUPT' },
  { name: '65535 metadata items', bytes: vhdx({ at: metadata + 10, u16le: 65535 }), code: 'IMAGE_CORRUPT' },
  {
    name: 'an unknown item that is required',
    bytes: vhdx({ at: metadata + 10, u16le: 6 }, ...vhdxItem(5, unknownGuid, Buffer.alloc(16))),
    code: 'IMAGE_FEATURE_UNKNOWN',
  },
  { name: 'no physical sector size', bytes: vhdx({ at: metadata + 10, u16le: 4 }), code: 'IMAGE_CORRUPT' },
  {
    name: 'an item outside its region',
    bytes: vhdx({ at: metadata + 32 + 16, u32le: 0xfffffff0 }),
    code: 'IMAGE_CORRUPT',
  },
  {
    name: 'a virtual disk of 16 EiB',
    bytes: vhdx({ at: metadata + 65552, u64le: (1n << 64n) - 1n }),
    code: 'IMAGE_TOO_LARGE',
  },
  {
    name: 'a virtual disk of 0 bytes',
    bytes: vhdx({ at: metadata + 65552, u64le: 0n }),
    code: 'IMAGE_EMPTY',
  },
  {
    name: 'half a sector too much',
    bytes: vhdx({ at: metadata + 65552, u64le: 1000n }),
    code: 'IMAGE_CORRUPT',
  },
  { name: 'blocks of 3 MiB', bytes: vhdx({ at: metadata + 65536, u32le: 3 << 20 }), code: 'IMAGE_CORRUPT' },
  { name: 'sectors of 0 bytes', bytes: vhdx({ at: metadata + 65536 + 48, u32le: 0 }), code: 'IMAGE_CORRUPT' },
  {
    name: 'sectors of 4096 bytes',
    bytes: vhdx({ at: metadata + 65536 + 48, u32le: 4096 }),
    code: 'IMAGE_FEATURE_UNKNOWN',
  },
  {
    name: 'a table too small for its disk',
    bytes: vhdx({ at: metadata + 65552, u64le: 1n << 45n }),
    code: 'IMAGE_CORRUPT',
  },
  {
    name: 'a block past the end',
    bytes: vhdx({ at: bat, u64le: (1n << 60n) + 6n }),
    code: 'IMAGE_TRUNCATED',
  },
  { name: 'a block in the headers', bytes: vhdx({ at: bat, u64le: 6n }), code: 'IMAGE_CORRUPT' },
  { name: 'only a signature', bytes: () => Buffer.from('vhdxfile'), code: 'IMAGE_TRUNCATED' },
];
