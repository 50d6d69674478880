import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LaunchError, type LaunchErrorCode } from '../../src/host/launch-error.js';
import { inspectHeader } from '../../src/image/header/inspect-header.js';
import type { DiskFormat } from '../../src/qemu-img/disk-format.js';
import { noise } from '../support/integration-host.js';
import { vmdkDescriptor, vmdkImage, vpcFixedImage, vpcFooter } from '../support/image-files.js';

let directory = '';
let count = 0;

async function qemuImg(...args: readonly string[]): Promise<string> {
  return (await execa('qemu-img', args, { cwd: directory })).stdout;
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'launch-header-'));
  // 10 MiB and a part of a sector of content that does not compress, then a hole, then an end.
  const bytes = Buffer.alloc(24 * 1024 * 1024);
  noise(10 * 1024 * 1024 + 100).copy(bytes);
  bytes.fill('launch', 21 * 1024 * 1024, 21 * 1024 * 1024 + 4096);
  await writeFile(join(directory, 'source.raw'), bytes);
});

afterAll(async () => {
  await rm(directory, { recursive: true });
});

interface QemuImage {
  readonly format: DiskFormat;
  /** For qemu-img's -o. */
  readonly options: string;
  readonly compressed?: boolean;
}

const benign: readonly QemuImage[] = [
  { format: 'raw', options: '' },
  { format: 'qcow2', options: 'compat=0.10' },
  { format: 'qcow2', options: 'compat=1.1' },
  { format: 'qcow2', options: 'compat=0.10', compressed: true },
  { format: 'qcow2', options: 'compat=1.1', compressed: true },
  { format: 'qcow2', options: 'compression_type=zstd', compressed: true },
  { format: 'qcow2', options: 'extended_l2=on' },
  { format: 'qcow2', options: 'extended_l2=on,compression_type=zstd', compressed: true },
  { format: 'qcow2', options: 'cluster_size=512' },
  { format: 'qcow2', options: 'cluster_size=2M' },
  { format: 'qcow2', options: 'lazy_refcounts=on,refcount_bits=64' },
  { format: 'qcow2', options: 'preallocation=metadata' },
  { format: 'vmdk', options: 'subformat=monolithicSparse' },
  { format: 'vmdk', options: 'subformat=monolithicSparse,zeroed_grain=on,compat6=on' },
  { format: 'vmdk', options: 'subformat=streamOptimized' },
  { format: 'vdi', options: '' },
  { format: 'vdi', options: 'static=on' },
  { format: 'vpc', options: 'subformat=dynamic' },
  { format: 'vpc', options: 'subformat=dynamic,force_size=on' },
  { format: 'vpc', options: 'subformat=fixed' },
  { format: 'vpc', options: 'subformat=fixed,force_size=on' },
  { format: 'vhdx', options: 'subformat=dynamic' },
  { format: 'vhdx', options: 'subformat=fixed' },
  { format: 'vhdx', options: 'block_size=1M,log_size=4M' },
];

/** The virtual size that qemu-img sees, in bytes, and what we see. */
async function compareSizes(path: string, format: DiskFormat): Promise<void> {
  const seen = JSON.parse(await qemuImg('info', '-f', format, '--output=json', path)) as {
    'virtual-size': number;
  };
  const report = await inspectHeader(join(directory, path), { declaredFormat: format });
  expect(report).toMatchObject({ format, virtualSizeBytes: seen['virtual-size'] });
}

describe('what qemu-img makes passes, with the size that qemu-img says', () => {
  it.each(benign)('$format $options: converted', async ({ format, options, compressed = false }) => {
    const path = `converted-${(count += 1)}`;
    const how = [...(compressed ? ['-c'] : []), ...(options ? ['-o', options] : [])];
    await qemuImg('convert', '-f', 'raw', '-O', format, ...how, 'source.raw', path);
    await compareSizes(path, format);
    if (compressed) expect((await inspectHeader(join(directory, path))).compressed).toBe(true);
  });

  it.each(benign.filter(({ compressed }) => compressed !== true))(
    '$format $options: created empty',
    async ({ format, options }) => {
      const odd = 20 * 1024 * 1024 + 5 * 512;
      for (const size of [odd, 3 * 1024 ** 3]) {
        // Fixed and static disks of 3 GiB are sparse files: they take no room here.
        const path = `created-${(count += 1)}`;
        await qemuImg('create', '-f', format, ...(options ? ['-o', options] : []), path, `${size}`);
        await compareSizes(path, format);
      }
    },
  );

  it('a qcow2 of 50 TiB', async () => {
    await qemuImg('create', '-f', 'qcow2', 'large.qcow2', '50T');
    await compareSizes('large.qcow2', 'qcow2');
  });

  it('a qcow2 with internal snapshots and bitmaps', async () => {
    await qemuImg('convert', '-f', 'raw', '-O', 'qcow2', 'source.raw', 'snapshots.qcow2');
    await qemuImg('snapshot', '-c', 'one', 'snapshots.qcow2');
    await qemuImg('bitmap', '--add', '-f', 'qcow2', 'snapshots.qcow2', 'bitmap');
    await compareSizes('snapshots.qcow2', 'qcow2');
  });

  it('a qcow2 that had a backing file', async () => {
    await qemuImg('create', '-f', 'qcow2', '-b', 'source.raw', '-F', 'raw', 'rebased.qcow2');
    await qemuImg('rebase', '-f', 'qcow2', '-b', '', 'rebased.qcow2');
    await compareSizes('rebased.qcow2', 'qcow2');
  });

  it('a raw file whose last sector is not whole', async () => {
    await writeFile(join(directory, 'odd.raw'), Buffer.alloc(1000, 'x'));
    await compareSizes('odd.raw', 'raw');
  });
});

describe('files made byte by byte are what qemu-img takes them for', () => {
  it.each(['vpc ', 'qemu', 'qem2', 'win ', 'd2v ', 'tap\0', 'CTXS', 'vs  ', 'vbox'])(
    'VHD of creator %j: geometry or current size',
    async (creator) => {
      const path = `creator-${(count += 1)}.vhd`;
      for (const cylinders of [1, 65535]) {
        const largest = cylinders === 65535;
        const footer = vpcFooter(
          2,
          { at: 28, text: creator },
          { at: 56, u16be: cylinders },
          { at: 58, u8: largest ? 16 : 4 },
          { at: 59, u8: largest ? 255 : 16 },
        );
        await writeFile(join(directory, path), vpcFixedImage(footer));
        await compareSizes(path, 'vpc');
      }
    },
  );

  it('VHD with a footer of 511 bytes', async () => {
    await writeFile(join(directory, 'old.vhd'), vpcFixedImage().subarray(0, -1));
    await compareSizes('old.vhd', 'vpc');
  });

  it('stream-optimized VMDK with its directory at the end', async () => {
    await writeFile(
      join(directory, 'footer.vmdk'),
      vmdkImage(vmdkDescriptor('streamOptimized'), { footer: true }),
    );
    await compareSizes('footer.vmdk', 'vmdk');
  });
});

interface UnwantedImage {
  readonly what: string;
  readonly code: LaunchErrorCode;
  readonly make: readonly string[];
  /** `bad` unless qemu-img needs, or makes, another name. */
  readonly path?: string;
}

const luksSecret = ['--object', 'secret,id=key,data=abc'] as const;

const hostile: readonly UnwantedImage[] = [
  {
    what: 'backing file',
    code: 'IMAGE_BACKING_FILE',
    make: ['create', '-f', 'qcow2', '-b', 'source.raw', '-F', 'raw', 'bad'],
  },
  {
    what: 'data file',
    code: 'IMAGE_EXTERNAL_DATA',
    make: ['create', '-f', 'qcow2', '-o', 'data_file=ext.raw', 'bad', '8M'],
  },
  {
    what: 'raw data file',
    code: 'IMAGE_EXTERNAL_DATA',
    make: ['create', '-f', 'qcow2', '-o', 'data_file=ext2.raw,data_file_raw=on', 'bad', '8M'],
  },
  {
    what: 'LUKS in qcow2',
    code: 'IMAGE_ENCRYPTED',
    make: [
      ...['create', '-f', 'qcow2', ...luksSecret],
      ...['-o', 'encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=10', 'bad', '8M'],
    ],
  },
  {
    what: 'LUKS',
    code: 'IMAGE_ENCRYPTED',
    make: ['create', '-f', 'luks', ...luksSecret, '-o', 'key-secret=key,iter-time=10', 'bad', '8M'],
  },
  ...['monolithicFlat', 'twoGbMaxExtentSparse', 'twoGbMaxExtentFlat'].map((subformat): UnwantedImage => ({
    what: subformat,
    code: 'IMAGE_EXTERNAL_DATA',
    make: ['create', '-f', 'vmdk', '-o', `subformat=${subformat}`, 'bad.vmdk', '8M'],
    path: 'bad.vmdk',
  })),
  {
    what: 'a part of twoGbMaxExtentSparse',
    code: 'IMAGE_EXTERNAL_DATA',
    make: ['create', '-f', 'vmdk', '-o', 'subformat=twoGbMaxExtentSparse', 'bad.vmdk', '8M'],
    path: 'bad-s001.vmdk',
  },
  {
    what: 'VMDK on a parent',
    code: 'IMAGE_BACKING_FILE',
    make: ['create', '-f', 'vmdk', '-b', 'parent.vmdk', '-F', 'vmdk', 'child.vmdk'],
    path: 'child.vmdk',
  },
  { what: 'QED', code: 'IMAGE_FORMAT_BANNED', make: ['create', '-f', 'qed', 'bad', '8M'] },
  { what: 'qcow', code: 'IMAGE_FORMAT_BANNED', make: ['create', '-f', 'qcow', 'bad', '8M'] },
  { what: 'Parallels', code: 'IMAGE_FORMAT_BANNED', make: ['create', '-f', 'parallels', 'bad', '8M'] },
];

describe('what qemu-img makes, but nobody should import, is refused', () => {
  beforeAll(async () => {
    await qemuImg('create', '-f', 'vmdk', 'parent.vmdk', '8M');
  });

  it.each(hostile)('$what: $code', async ({ code, make, path = 'bad' }) => {
    await qemuImg(...make);
    await expect(inspectHeader(join(directory, path))).rejects.toMatchObject({ code });
  });

  it('cut off: IMAGE_TRUNCATED', async () => {
    for (const [format, keep] of [
      ['qcow2', 150_000],
      ['vdi', 5_000_000],
      ['vpc', 5_000_000],
      ['vhdx', 9_000_000],
      ['vmdk', 8_000],
    ] as const) {
      await qemuImg('convert', '-f', 'raw', '-O', format, 'source.raw', 'whole');
      const whole = await readFile(join(directory, 'whole'));
      await writeFile(join(directory, 'cut'), whole.subarray(0, keep));
      const refusal: unknown = await inspectHeader(join(directory, 'cut')).catch((error: unknown) => error);
      expect(refusal, format).toBeInstanceOf(LaunchError);
      expect(refusal, format).toMatchObject({ code: 'IMAGE_TRUNCATED' });
    }
  });
});
