import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { ImageFile } from '../../../../src/image/header/image-file.js';
import {
  detectFormat,
  inspectHeader,
  inspectImageFile,
  type HeaderReport,
} from '../../../../src/image/header/inspect-header.js';
import {
  isoImage,
  patched,
  qcow2Extension,
  qcow2Image,
  qcow2Layout,
  rawImage,
  vdiImage,
  vhdxImage,
  vhdxItem,
  vhdxLayout,
  vhdxRegion,
  vmdkDescriptor,
  vmdkImage,
  vpcDynamicImage,
  vpcFixedImage,
  vpcFooter,
} from '../../../support/image-files.js';
import { refusalOf, temporaryDirectory } from './judged-file.js';

const mebibyte = 1024 * 1024;
const unknownGuid = '01234567-89ab-cdef-0123-456789abcdef';
const { l2, extensions } = qcow2Layout;

const accepted: readonly (readonly [name: string, bytes: () => Buffer, description: string])[] = [
  ['qcow2', () => qcow2Image(), 'qcow2, 1 MiB virtual, version 3, no backing file, no external data'],
  [
    'qcow2 version 2',
    () => qcow2Image(2),
    'qcow2, 1 MiB virtual, version 2, no backing file, no external data',
  ],
  [
    'qcow2, compressed',
    () => patched(qcow2Image(), { at: l2 + 64, u64be: 0x4000_0000_0000_5000n }),
    'qcow2, 1 MiB virtual, version 3, compressed, no backing file, no external data',
  ],
  [
    'qcow2, compressed with zstd',
    () =>
      patched(
        qcow2Image(),
        { at: 72, u64be: 8n },
        { at: 100, u32be: 112 },
        { at: 104, u8: 1 },
        { at: l2, u64be: 0x4000_0000_0000_5000n },
      ),
    'qcow2, 1 MiB virtual, version 3, compressed (zstd), no backing file, no external data',
  ],
  [
    'qcow2, dirty',
    () => patched(qcow2Image(), { at: 72, u64be: 1n }),
    'qcow2, 1 MiB virtual, version 3, no backing file, no external data, not closed cleanly',
  ],
  [
    'qcow2 with a snapshot',
    () => patched(qcow2Image(), { at: 60, u32be: 1 }, { at: 64, u64be: 20480n }),
    'qcow2, 1 MiB virtual, version 3, no backing file, no external data, 1 internal snapshot',
  ],
  [
    'qcow2 with unknown compatible and autoclear features',
    () => patched(qcow2Image(), { at: 80, u64be: 1n << 40n }, { at: 88, u64be: 1n << 40n }),
    'qcow2, 1 MiB virtual, version 3, no backing file, no external data',
  ],
  [
    'qcow2 with the format of a backing file that it lost',
    () => patched(qcow2Image(), ...qcow2Extension(extensions, 0xe2792aca, 'raw')),
    'qcow2, 1 MiB virtual, version 3, no backing file, no external data',
  ],
  ['VMDK', () => vmdkImage(), 'vmdk, 1 MiB virtual, monolithicSparse, no parent, no other extents'],
  [
    'VMDK with CR LF',
    () => vmdkImage(vmdkDescriptor().replaceAll('\n', '\r\n')),
    'vmdk, 1 MiB virtual, monolithicSparse, no parent, no other extents',
  ],
  [
    'VMDK, stream-optimized with a footer',
    () => vmdkImage(vmdkDescriptor('streamOptimized'), { footer: true }),
    'vmdk, 1 MiB virtual, streamOptimized, no parent, no other extents',
  ],
  ['VDI', () => vdiImage(), 'vdi, 4 MiB virtual, version 1.1, dynamic, no parent'],
  ['VHD, dynamic', () => vpcDynamicImage(), 'vpc, 64 KiB virtual, dynamic, no parent'],
  ['VHD, fixed', () => vpcFixedImage(), 'vpc, 64 KiB virtual, fixed'],
  ['VHD with a footer of 511 bytes', () => vpcFixedImage().subarray(0, -1), 'vpc, 64 KiB virtual, fixed'],
  [
    'VHD by geometry',
    () => vpcFixedImage(vpcFooter(2, { at: 28, text: 'vpc ' }, { at: 56, u16be: 1 })),
    'vpc, 32 KiB virtual, fixed',
  ],
  ['VHDX', () => vhdxImage(), 'vhdx, 8 MiB virtual, dynamic, no parent, closed cleanly'],
  [
    'VHDX with one damaged header',
    () => patched(vhdxImage(), { at: vhdxLayout.header2 + 20, u8: 1 }),
    'vhdx, 8 MiB virtual, dynamic, no parent, closed cleanly',
  ],
  [
    'VHDX with unknown parts that are not required',
    () =>
      patched(
        vhdxImage(
          { at: vhdxLayout.length - 1 + mebibyte, u8: 0 },
          { at: vhdxLayout.regionTable + 8, u32le: 3 },
          ...vhdxRegion(2, unknownGuid, vhdxLayout.length, 0),
          { at: vhdxLayout.metadata + 10, u16le: 6 },
          ...vhdxItem(5, unknownGuid, Buffer.alloc(16), 0),
        ),
      ),
    'vhdx, 8 MiB virtual, dynamic, no parent, closed cleanly',
  ],
  ['raw', () => rawImage(), 'raw, 64 KiB virtual, no partition table'],
  [
    'raw of one byte',
    () => Buffer.from('x'),
    'raw, 512 bytes virtual, no partition table, its last sector is not whole',
  ],
  [
    'raw with an MBR',
    () => patched(rawImage(), { at: 446, u8: 0x80 }, { at: 510, bytes: [0x55, 0xaa] }),
    'raw, 64 KiB virtual, MBR partition table',
  ],
  [
    'raw with 55AA and no partitions',
    () => patched(rawImage(), { at: 510, bytes: [0x55, 0xaa] }),
    'raw, 64 KiB virtual, boot sector without partitions',
  ],
  [
    'raw with a GPT',
    () => patched(rawImage(), { at: 510, bytes: [0x55, 0xaa] }, { at: 512, text: 'EFI PART' }),
    'raw, 64 KiB virtual, GPT partition table',
  ],
  ['an ISO', () => isoImage(), 'raw, 64 KiB virtual, an ISO 9660 or UDF file system'],
  [
    'a hybrid ISO',
    () => patched(isoImage(), { at: 446, u8: 0x80 }, { at: 510, bytes: [0x55, 0xaa] }),
    'raw, 64 KiB virtual, an ISO 9660 or UDF file system',
  ],
];

describe('inspectHeader accepts', () => {
  const pathOf = temporaryDirectory();

  it.each(accepted)('%s', async (_name, bytes, description) => {
    const path = pathOf('image');
    await writeFile(path, bytes());
    const report = await inspectHeader(path);
    expect(report.description).toBe(description);
    expect(description.startsWith(`${report.format}, `)).toBe(true);
    await expect(inspectHeader(path, { declaredFormat: report.format })).resolves.toEqual(report);
  });

  it('a raw disk of 64 TiB, and no larger one', async () => {
    const inspect = (lengthBytes: number): Promise<HeaderReport> =>
      inspectImageFile(
        new ImageFile('large.img', { lengthBytes, read: async (_, length) => Buffer.alloc(length) }),
        'raw',
      );
    expect((await inspect(64 * 1024 ** 4)).virtualSizeBytes).toBe(64 * 1024 ** 4);
    expect(await refusalOf(inspect(64 * 1024 ** 4 + 1))).toMatchObject({ code: 'IMAGE_TOO_LARGE' });
  });

  it('says whether the header tells of compression', async () => {
    const compressedOf = async (bytes: Buffer): Promise<boolean | undefined> => {
      await writeFile(pathOf('image'), bytes);
      return (await inspectHeader(pathOf('image'))).compressed;
    };
    expect(await compressedOf(qcow2Image())).toBeUndefined();
    expect(await compressedOf(rawImage())).toBe(false);
    expect(await compressedOf(vmdkImage(vmdkDescriptor('streamOptimized')))).toBe(true);
  });
});

describe('inspectHeader opens only regular files', () => {
  const pathOf = temporaryDirectory();

  it('a symbolic link, a directory, a device and a missing file are IMAGE_UNREADABLE', async () => {
    await writeFile(pathOf('image'), rawImage());
    await symlink('image', pathOf('link'));
    await mkdir(pathOf('directory'));
    for (const [path, says] of [
      [pathOf('link'), 'it is a symbolic link'],
      [pathOf('directory'), 'it is not a regular file'],
      ['/dev/null', 'it is not a regular file'],
      [pathOf('missing'), 'no such file'],
    ] as const) {
      const refusal = await refusalOf(inspectHeader(path, { displayName: 'f17.img' }));
      expect(refusal.code).toBe('IMAGE_UNREADABLE');
      expect(refusal.message).toBe(`cannot read "f17.img": ${says}`);
    }
  });
});

describe('detectFormat', () => {
  const pathOf = temporaryDirectory();

  it.each([
    ['qcow2', patched(qcow2Image(), { at: 8, u64be: 1024n })],
    ['qcow', Buffer.from('QFI\xfb\0\0\0\x01', 'latin1')],
    ['vpc', vpcFixedImage()],
    ['vdi', vdiImage()],
    ['vmdk', Buffer.from(vmdkDescriptor('monolithicFlat'))],
    ['iso', isoImage()],
    ['luks', Buffer.from('LUKS\xba\xbe', 'latin1')],
    ['raw', rawImage()],
    ['raw', Buffer.alloc(0)],
  ] as const)('says %s without judging', async (format, bytes) => {
    await writeFile(pathOf('disk'), bytes);
    await expect(detectFormat(pathOf('disk'))).resolves.toBe(format);
  });
});
