import { patched, qcow2Extension, qcow2Image, qcow2Layout, type Patch } from '../image-files.js';
import type { HostileFile } from './hostile-file.js';

const qcow2 = (...patches: readonly Patch[]): (() => Buffer) => {
  return () => patched(qcow2Image(), ...patches);
};

function backingFile(name: string, length = name.length): readonly Patch[] {
  return [
    { at: 8, u64be: 1024n },
    { at: 16, u32be: length },
    { at: 1024, text: name },
  ];
}

const { extensions, l1, refcountTable } = qcow2Layout;

export const hostileQcow2Files: readonly HostileFile[] = [
  {
    name: 'names a backing file (CVE-2011-3147)',
    bytes: qcow2(...backingFile('/etc/shadow')),
    code: 'IMAGE_BACKING_FILE',
    says: 'it names a backing file ("/etc/shadow"), so its content would come from this host',
  },
  {
    name: 'version 2 names a backing file',
    bytes: () => patched(qcow2Image(2), ...backingFile('/etc/shadow')),
    code: 'IMAGE_BACKING_FILE',
  },
  {
    name: 'backing file as a json: pseudo-protocol',
    bytes: qcow2(...backingFile('json:{"driver":"file","filename":"/etc/shadow"}')),
    code: 'IMAGE_BACKING_FILE',
  },
  {
    name: 'backing file name with control characters',
    bytes: qcow2(...backingFile('a\x1b]0;b\x07\nlaunch: done')),
    code: 'IMAGE_BACKING_FILE',
    says: String.raw`"a\x1b]0;b\x07\x0alaunch: done"`,
  },
  {
    name: 'backing file name of 4 GiB',
    bytes: qcow2(...backingFile('/etc/shadow', 0xffffffff)),
    code: 'IMAGE_BACKING_FILE',
  },
  {
    name: 'backing file name past the end of the file',
    bytes: qcow2({ at: 8, u64be: 0xffff_ffff_ffff_0000n }, { at: 16, u32be: 11 }),
    code: 'IMAGE_BACKING_FILE',
  },
  { name: 'backing file without a name', bytes: qcow2({ at: 8, u64be: 1024n }), code: 'IMAGE_BACKING_FILE' },
  { name: 'backing file name without a place', bytes: qcow2({ at: 16, u32be: 11 }), code: 'IMAGE_CORRUPT' },
  {
    name: 'external data file (CVE-2024-32498)',
    bytes: qcow2({ at: 72, u64be: 4n }, ...qcow2Extension(extensions, 0x44415441, '/etc/passwd')),
    code: 'IMAGE_EXTERNAL_DATA',
    says: '("/etc/passwd")',
  },
  {
    name: 'external data bit without a name',
    bytes: qcow2({ at: 72, u64be: 4n }),
    code: 'IMAGE_EXTERNAL_DATA',
  },
  {
    name: 'external data name without the bit',
    bytes: qcow2(...qcow2Extension(extensions, 0x44415441, '/etc/passwd')),
    code: 'IMAGE_EXTERNAL_DATA',
  },
  {
    name: 'external data name in version 2',
    bytes: () => patched(qcow2Image(2), ...qcow2Extension(72, 0x44415441, '/etc/passwd')),
    code: 'IMAGE_EXTERNAL_DATA',
  },
  {
    name: 'external data name behind another extension',
    bytes: qcow2(
      ...qcow2Extension(extensions, 0x12345678, 'twelve bytes'),
      ...qcow2Extension(extensions + 24, 0x44415441, '/etc/passwd'),
    ),
    code: 'IMAGE_EXTERNAL_DATA',
  },
  {
    name: 'raw external data (autoclear bit 1)',
    bytes: qcow2({ at: 88, u64be: 2n }),
    code: 'IMAGE_EXTERNAL_DATA',
  },
  { name: 'encrypted with AES', bytes: qcow2({ at: 32, u32be: 1 }), code: 'IMAGE_ENCRYPTED', says: 'AES' },
  { name: 'encrypted with LUKS', bytes: qcow2({ at: 32, u32be: 2 }), code: 'IMAGE_ENCRYPTED', says: 'LUKS' },
  {
    name: 'a header of encryption in a plain image',
    bytes: qcow2(...qcow2Extension(extensions, 0x0537be77, '0123456789abcdef')),
    code: 'IMAGE_ENCRYPTED',
  },
  { name: 'marked as corrupt', bytes: qcow2({ at: 72, u64be: 2n }), code: 'IMAGE_CORRUPT' },
  {
    name: 'unknown incompatible feature 5 (CVE-2024-40767)',
    bytes: qcow2({ at: 72, u64be: 1n << 5n }),
    code: 'IMAGE_FEATURE_UNKNOWN',
    says: 'bit 5',
  },
  {
    name: 'unknown incompatible feature 63',
    bytes: qcow2({ at: 72, u64be: 1n << 63n }),
    code: 'IMAGE_FEATURE_UNKNOWN',
    says: 'bit 63',
  },
  { name: 'version 4', bytes: qcow2({ at: 4, u32be: 4 }), code: 'IMAGE_FEATURE_UNKNOWN' },
  { name: 'version 0', bytes: qcow2({ at: 4, u32be: 0 }), code: 'IMAGE_FEATURE_UNKNOWN' },
  { name: 'version 1 (qcow)', bytes: qcow2({ at: 4, u32be: 1 }), code: 'IMAGE_FORMAT_BANNED' },
  {
    name: 'unknown compression',
    bytes: qcow2({ at: 72, u64be: 8n }, { at: 100, u32be: 112 }, { at: 104, u8: 2 }),
    code: 'IMAGE_FEATURE_UNKNOWN',
  },
  { name: 'compression bit without zstd', bytes: qcow2({ at: 72, u64be: 8n }), code: 'IMAGE_CORRUPT' },
  {
    name: 'zstd without its bit',
    bytes: qcow2({ at: 100, u32be: 112 }, { at: 104, u8: 1 }),
    code: 'IMAGE_CORRUPT',
  },
  { name: 'extended L2 in clusters of 4 KiB', bytes: qcow2({ at: 72, u64be: 16n }), code: 'IMAGE_CORRUPT' },
  { name: 'clusters of 256 bytes', bytes: qcow2({ at: 20, u32be: 8 }), code: 'IMAGE_CORRUPT' },
  { name: 'clusters of 4 MiB', bytes: qcow2({ at: 20, u32be: 22 }), code: 'IMAGE_CORRUPT' },
  {
    name: 'clusters of 2^4294967295 bytes',
    bytes: qcow2({ at: 20, u32be: 0xffffffff }),
    code: 'IMAGE_CORRUPT',
  },
  { name: 'header of 72 bytes in version 3', bytes: qcow2({ at: 100, u32be: 72 }), code: 'IMAGE_CORRUPT' },
  { name: 'header of 105 bytes', bytes: qcow2({ at: 100, u32be: 105 }), code: 'IMAGE_CORRUPT' },
  { name: 'header of 4 GiB', bytes: qcow2({ at: 100, u32be: 0xfffffff8 }), code: 'IMAGE_CORRUPT' },
  { name: 'refcounts of 2^7 bits', bytes: qcow2({ at: 96, u32be: 7 }), code: 'IMAGE_CORRUPT' },
  {
    name: 'virtual disk of 8 EiB (CVE-2015-5162)',
    bytes: qcow2({ at: 24, u64be: 0x7fff_ffff_ffff_fe00n }),
    code: 'IMAGE_TOO_LARGE',
  },
  { name: 'virtual disk of 0 bytes', bytes: qcow2({ at: 24, u64be: 0n }), code: 'IMAGE_EMPTY' },
  {
    name: 'L1 table too small for its disk',
    bytes: qcow2({ at: 24, u64be: 1n << 40n }),
    code: 'IMAGE_CORRUPT',
  },
  { name: 'L1 table of 32 GiB', bytes: qcow2({ at: 36, u32be: 0xffffffff }), code: 'IMAGE_CORRUPT' },
  { name: 'L1 table past the end', bytes: qcow2({ at: 40, u64be: 1n << 40n }), code: 'IMAGE_TRUNCATED' },
  { name: 'L1 table longer than the file', bytes: qcow2({ at: 36, u32be: 4096 }), code: 'IMAGE_TRUNCATED' },
  { name: 'L1 table in the header', bytes: qcow2({ at: 40, u64be: 0n }), code: 'IMAGE_CORRUPT' },
  {
    name: 'L1 table in the middle of a cluster',
    bytes: qcow2({ at: 40, u64be: 12296n }),
    code: 'IMAGE_CORRUPT',
  },
  { name: 'L2 table past the end', bytes: qcow2({ at: l1, u64be: 1n << 40n }), code: 'IMAGE_TRUNCATED' },
  {
    name: 'L2 table in the middle of a cluster',
    bytes: qcow2({ at: l1, u64be: 16896n }),
    code: 'IMAGE_CORRUPT',
  },
  { name: 'no refcount table', bytes: qcow2({ at: 48, u64be: 0n }), code: 'IMAGE_CORRUPT' },
  {
    name: 'refcount table past the end',
    bytes: qcow2({ at: 48, u64be: 1n << 62n }),
    code: 'IMAGE_TRUNCATED',
  },
  { name: 'refcount table of 16 TiB', bytes: qcow2({ at: 56, u32be: 0xffffffff }), code: 'IMAGE_CORRUPT' },
  {
    name: '4 billion snapshots',
    bytes: qcow2({ at: 60, u32be: 0xffffffff }, { at: 64, u64be: BigInt(refcountTable) }),
    code: 'IMAGE_CORRUPT',
  },
  {
    name: 'snapshot table past the end',
    bytes: qcow2({ at: 60, u32be: 1 }, { at: 64, u64be: 1n << 50n }),
    code: 'IMAGE_TRUNCATED',
  },
  {
    name: 'header extension longer than a cluster',
    bytes: qcow2({ at: extensions, u32be: 0x12345678 }, { at: extensions + 4, u32be: 0xffffffff }),
    code: 'IMAGE_CORRUPT',
  },
  {
    name: 'header extensions without an end',
    bytes: qcow2(
      ...Array.from({ length: 490 }, (_, index) => ({ at: extensions + index * 8, u32be: 0x12345678 })),
    ),
    code: 'IMAGE_CORRUPT',
  },
  { name: 'only a magic', bytes: () => Buffer.from('QFI\xfb', 'latin1'), code: 'IMAGE_TRUNCATED' },
  { name: 'half a header', bytes: () => qcow2Image().subarray(0, 90), code: 'IMAGE_TRUNCATED' },
  { name: 'cut before its L1 table', bytes: () => qcow2Image().subarray(0, 9000), code: 'IMAGE_TRUNCATED' },
];
