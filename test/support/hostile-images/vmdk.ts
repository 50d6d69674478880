import { patched, vmdkDescriptor, vmdkImage, type Patch } from '../image-files.js';
import type { HostileFile } from './hostile-file.js';

const vmdk = (...patches: readonly Patch[]): (() => Buffer) => {
  return () => patched(vmdkImage(), ...patches);
};
const withDescriptor = (change: (text: string) => string): (() => Buffer) => {
  return () => vmdkImage(change(vmdkDescriptor()));
};
const withExtent = (line: string): (() => Buffer) => {
  return withDescriptor((text) => text.replace('RW 2048 SPARSE "disk.vmdk"', line));
};
const streamOptimized = (...patches: readonly Patch[]): (() => Buffer) => {
  return () => patched(vmdkImage(vmdkDescriptor('streamOptimized'), { footer: true }), ...patches);
};
const footerAt = 65536;

export const hostileVmdkFiles: readonly HostileFile[] = [
  {
    name: 'a text descriptor that names a host file (CVE-2022-47951)',
    bytes: () =>
      Buffer.from(vmdkDescriptor('monolithicFlat').replace('SPARSE "disk.vmdk"', 'FLAT "/etc/shadow" 0')),
    code: 'IMAGE_EXTERNAL_DATA',
    says: '("/etc/shadow")',
  },
  {
    name: 'a text descriptor behind comments and blank lines',
    bytes: () => Buffer.from('# hello\n \n\r\nversion=1\nRW 1 FLAT "/etc/shadow" 0\n'),
    code: 'IMAGE_EXTERNAL_DATA',
  },
  {
    name: 'a text descriptor declared as raw',
    bytes: () => Buffer.from(vmdkDescriptor('monolithicFlat')),
    declaredFormat: 'raw',
    code: 'IMAGE_FORMAT_MISMATCH',
  },
  ...[
    'monolithicFlat',
    'twoGbMaxExtentSparse',
    'twoGbMaxExtentFlat',
    'vmfs',
    'vmfsSparse',
    'custom',
    'fullDevice',
  ].map((createType): HostileFile => ({
    name: `createType ${createType} in a sparse file`,
    bytes: () => vmdkImage(vmdkDescriptor(createType)),
    code: 'IMAGE_EXTERNAL_DATA',
    says: createType,
  })),
  {
    name: 'a flat extent',
    bytes: withExtent('RW 2048 FLAT "/etc/shadow" 0'),
    code: 'IMAGE_EXTERNAL_DATA',
    says: '/etc/shadow',
  },
  {
    name: 'an extent with an absolute path',
    bytes: withExtent('RW 2048 SPARSE "/srv/disk.vmdk"'),
    code: 'IMAGE_EXTERNAL_DATA',
  },
  {
    name: 'an extent with a relative path',
    bytes: withExtent('RW 2048 SPARSE "../disk.vmdk"'),
    code: 'IMAGE_EXTERNAL_DATA',
  },
  {
    name: 'an extent with a backslash',
    bytes: withExtent('RW 2048 SPARSE "..\\disk.vmdk"'),
    code: 'IMAGE_EXTERNAL_DATA',
  },
  {
    name: 'an extent by protocol',
    bytes: withExtent('RW 2048 SPARSE "nbd:10.0.0.1:1"'),
    code: 'IMAGE_EXTERNAL_DATA',
  },
  { name: 'an extent without a name', bytes: withExtent('RW 2048 ZERO'), code: 'IMAGE_EXTERNAL_DATA' },
  {
    name: 'two extents',
    bytes: withExtent('RW 1024 SPARSE "disk.vmdk"\nRW 1024 SPARSE "other.vmdk"'),
    code: 'IMAGE_EXTERNAL_DATA',
  },
  { name: 'no extent', bytes: withExtent(''), code: 'IMAGE_CORRUPT' },
  {
    name: 'an extent larger than the capacity',
    bytes: withExtent('RW 999999 SPARSE "disk.vmdk"'),
    code: 'IMAGE_CORRUPT',
  },
  {
    name: 'an extent line over several lines',
    bytes: withExtent('RW\n2048\nFLAT\n"/etc/shadow"\n0\nRW 2048 SPARSE "disk.vmdk"'),
    code: 'IMAGE_CORRUPT',
  },
  {
    name: 'capacity 0, so that QEMU follows the descriptor',
    bytes: vmdk({ at: 12, u64le: 0n }),
    code: 'IMAGE_EXTERNAL_DATA',
  },
  {
    name: 'a parent by parentCID',
    bytes: withDescriptor((text) => text.replace('parentCID=ffffffff', 'parentCID=12345678')),
    code: 'IMAGE_BACKING_FILE',
  },
  {
    name: 'a parent by parentFileNameHint',
    bytes: () => vmdkImage(vmdkDescriptor('monolithicSparse', 'parentFileNameHint="/etc/shadow"')),
    code: 'IMAGE_BACKING_FILE',
    says: '("/etc/shadow")',
  },
  {
    name: 'a parent in a comment, where QEMU still finds it',
    bytes: () => vmdkImage(vmdkDescriptor('monolithicSparse', '# parentFileNameHint="/etc/shadow"')),
    code: 'IMAGE_BACKING_FILE',
  },
  {
    name: 'a parent behind the end of a short descriptor, where QEMU still finds it',
    bytes: vmdk({ at: 36, u64le: 1n }, { at: 5000, text: 'parentFileNameHint="/etc/shadow"' }),
    code: 'IMAGE_BACKING_FILE',
  },
  {
    name: 'no parentCID',
    bytes: withDescriptor((text) => text.replace('parentCID=ffffffff\n', '')),
    code: 'IMAGE_CORRUPT',
  },
  {
    name: 'no createType',
    bytes: withDescriptor((text) => text.replace(/createType.*\n/, '')),
    code: 'IMAGE_CORRUPT',
  },
  {
    name: 'two createTypes',
    bytes: () => vmdkImage(vmdkDescriptor('monolithicSparse', 'createType="monolithicFlat"')),
    code: 'IMAGE_CORRUPT',
  },
  {
    name: 'a line that is not understood',
    bytes: () => vmdkImage(vmdkDescriptor('monolithicSparse', 'hello')),
    code: 'IMAGE_CORRUPT',
  },
  {
    name: 'no descriptor: a part of a split disk',
    bytes: vmdk({ at: 28, u64le: 0n }),
    code: 'IMAGE_EXTERNAL_DATA',
  },
  {
    name: 'an empty descriptor: a part of a split disk',
    bytes: () => vmdkImage(''),
    code: 'IMAGE_EXTERNAL_DATA',
  },
  {
    name: 'a descriptor elsewhere than QEMU reads it',
    bytes: vmdk({ at: 28, u64le: 2n }),
    code: 'IMAGE_CORRUPT',
  },
  {
    name: 'a descriptor of 2^64 sectors',
    bytes: vmdk({ at: 36, u64le: (1n << 64n) - 1n }),
    code: 'IMAGE_CORRUPT',
  },
  {
    name: 'a descriptor longer than the file',
    bytes: vmdk({ at: 36, u64le: 2048n }),
    code: 'IMAGE_TRUNCATED',
  },
  { name: 'version 4', bytes: vmdk({ at: 4, u32le: 4 }), code: 'IMAGE_FEATURE_UNKNOWN' },
  { name: 'an unknown flag', bytes: vmdk({ at: 8, u32le: 0x41 }), code: 'IMAGE_FEATURE_UNKNOWN' },
  { name: 'an unknown compression', bytes: vmdk({ at: 77, u16le: 2 }), code: 'IMAGE_FEATURE_UNKNOWN' },
  { name: 'compressed without its flag', bytes: vmdk({ at: 77, u16le: 1 }), code: 'IMAGE_CORRUPT' },
  {
    name: 'compressed, but called monolithicSparse',
    bytes: vmdk({ at: 8, u32le: 0x10001 }, { at: 77, u16le: 1 }),
    code: 'IMAGE_CORRUPT',
  },
  { name: 'sent in text mode', bytes: vmdk({ at: 73, text: '\n \n\n' }), code: 'IMAGE_CORRUPT' },
  { name: 'grains of 0 sectors', bytes: vmdk({ at: 20, u64le: 0n }), code: 'IMAGE_CORRUPT' },
  { name: 'grains of 2^40 sectors', bytes: vmdk({ at: 20, u64le: 1n << 40n }), code: 'IMAGE_CORRUPT' },
  {
    name: 'grain tables of 4 billion entries',
    bytes: vmdk({ at: 44, u32le: 0xffffffff }),
    code: 'IMAGE_CORRUPT',
  },
  {
    name: 'a virtual disk of 8 ZiB',
    bytes: vmdk({ at: 12, u64le: (1n << 64n) - 1n }),
    code: 'IMAGE_TOO_LARGE',
  },
  { name: 'no grain directory', bytes: vmdk({ at: 56, u64le: 0n }), code: 'IMAGE_CORRUPT' },
  {
    name: 'grain directory past the end',
    bytes: vmdk({ at: 56, u64le: 1n << 50n }),
    code: 'IMAGE_TRUNCATED',
  },
  {
    name: 'second grain directory past the end',
    bytes: vmdk({ at: 8, u32le: 3 }, { at: 48, u64le: 1n << 50n }),
    code: 'IMAGE_TRUNCATED',
  },
  {
    name: 'grain table past the end',
    bytes: vmdk({ at: 21 * 512, u32le: 0xfffffff0 }),
    code: 'IMAGE_TRUNCATED',
  },
  { name: 'metadata past the end', bytes: vmdk({ at: 64, u64le: 1n << 60n }), code: 'IMAGE_TRUNCATED' },
  { name: 'half a header', bytes: () => vmdkImage().subarray(0, 100), code: 'IMAGE_TRUNCATED' },
  {
    name: 'a footer that is cut off',
    bytes: () => streamOptimized()().subarray(0, -512),
    code: 'IMAGE_TRUNCATED',
  },
  {
    name: 'a footer that is no footer',
    bytes: streamOptimized({ at: footerAt + 12, u32le: 1 }),
    code: 'IMAGE_TRUNCATED',
  },
  {
    name: 'a footer of another capacity',
    bytes: streamOptimized({ at: footerAt + 512 + 12, u64le: 1n << 30n }),
    code: 'IMAGE_CORRUPT',
  },
  {
    name: 'a footer that sends to another footer',
    bytes: streamOptimized({ at: footerAt + 512 + 56, u64le: (1n << 64n) - 1n }),
    code: 'IMAGE_CORRUPT',
  },
  { name: 'a COWD disk', bytes: vmdk({ at: 0, text: 'COWD' }), code: 'IMAGE_FORMAT_BANNED' },
  {
    name: 'an seSparse disk',
    bytes: vmdk({ at: 0, bytes: [0xbe, 0xba, 0xfe, 0xca, 0, 0, 0, 0] }),
    code: 'IMAGE_FORMAT_BANNED',
  },
];
