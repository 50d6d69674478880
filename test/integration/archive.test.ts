import { createReadStream } from 'node:fs';
import { copyFile, mkdir, open, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { compressions, type Compression } from '../../src/image/unpack/compression.js';
import { importTelling, openFetchingHost, refuseImport } from '../support/fetching-host.js';
import {
  listTree,
  makeImageFile,
  makeRawDisk,
  mib,
  noise,
  sha256Of,
  type IntegrationHost,
} from '../support/integration-host.js';
import { sha256, sha512, startMirror } from '../support/mirror.js';
import { tarArchive, type TarEntry } from '../support/tar-archive.js';

const commands: Readonly<Record<Compression, string>> = {
  gzip: 'gzip',
  xz: 'xz',
  bzip2: 'bzip2',
  zstd: 'zstd',
};

async function compress(path: string, compression: Compression): Promise<string> {
  const target = `${path}.${compression}`;
  const { stdout } = await execa(commands[compression], ['-c', path], {
    encoding: 'buffer',
    stripFinalNewline: false,
    maxBuffer: 1024 * mib,
  });
  await writeFile(target, stdout);
  return target;
}

describe.each(compressions)('%s', (compression) => {
  it('is unpacked on the way in, from a file, a stream and a URL, whatever its name', async () => {
    const host = await openFetchingHost();
    const mirror = await startMirror();
    const path = await makeImageFile(host.directory, 'qcow2');
    const packed = await compress(path, compression);
    const misnamed = join(host.directory, 'disk.raw');
    await copyFile(packed, misnamed);
    const content = await readFile(packed);
    for (const source of [
      { path: packed },
      { path: misnamed },
      { stream: createReadStream(packed) as AsyncIterable<Uint8Array>, displayName: 'standard input' },
      { url: mirror.put('/disk', content), allowHttp: true },
    ]) {
      const verification = { sha256: sha256(content) };
      const { image } = await importTelling(host, { source, verification });
      expect(image).toMatchObject({
        format: 'qcow2',
        sha256: await sha256Of(path),
        downloaded: { sizeBytes: content.length, sha256: sha256(content), compression, archive: null },
        verified: { by: 'digest', digest: sha256(content) },
      });
      expect(await sha256Of(host.home.image(image.id).file('qcow2'))).toBe(image.sha256);
    }
  });

  it('keeps holes: a sparse raw disk stays sparse', async () => {
    const host = await openFetchingHost();
    const path = await makeRawDisk(join(host.directory, 'sparse'), { virtualSizeBytes: 256 * mib });
    const { image } = await importTelling(host, { source: { path: await compress(path, compression) } });
    const stored = await stat(host.home.image(image.id).file('raw'));
    expect(stored.size).toBe(256 * mib);
    expect(stored.blocks * 512).toBeLessThan(4 * mib);
  });

  it('is refused when it is damaged, cut short, or goes on after its end', async () => {
    const host = await openFetchingHost();
    const packed = await readFile(await compress(await makeImageFile(host.directory, 'qcow2'), compression));
    const damaged = Buffer.from(packed);
    damaged.fill(0x55, packed.length / 2, packed.length / 2 + 512);
    const path = join(host.directory, 'packed');
    for (const content of [
      damaged,
      packed.subarray(0, packed.length / 2),
      packed.subarray(0, -1),
      Buffer.concat([packed, noise(mib)]),
    ]) {
      await writeFile(path, content);
      const error = await refuseImport(host, { source: { path } }, 'IMAGE_CORRUPT');
      expect(error.message).toContain(`its ${compression} data is damaged`);
    }
  });

  it('what is in it is inspected as any other stranger’s file', async () => {
    const host = await openFetchingHost();
    const evil = join(host.directory, 'evil.qcow2');
    const base = await makeRawDisk(join(host.directory, 'secret'));
    await execa('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', base, '-F', 'raw', evil]);
    const source = { path: await compress(evil, compression) };
    await refuseImport(host, { source }, 'IMAGE_BACKING_FILE');
    // Once is enough: what is packed twice is not a disk.
    const twice = { path: await compress(source.path, compression) };
    await refuseImport(host, { source: twice }, 'IMAGE_FORMAT_UNKNOWN', 'IMAGE_FORMAT_BANNED');
  });
});

it('a local file shares its blocks where the file system can', async ({ skip }) => {
  const host = await openFetchingHost();
  const mountPoint = join(host.directory, 'xfs');
  const volume = join(host.directory, 'volume');
  await mkdir(mountPoint);
  await writeFile(volume, '');
  await truncate(volume, 400 * mib);
  const made = await execa('mkfs.xfs', ['-q', '-m', 'reflink=1', volume], { reject: false });
  const mounted = await execa('mount', ['-o', 'loop', volume, mountPoint], { reject: false });
  if (made.failed || mounted.failed) skip(`needs to mount XFS: ${mounted.stderr}`);
  try {
    const cloning = { ...host, home: (await openFetchingHost({ directory: mountPoint })).home };
    const path = join(mountPoint, 'disk.raw');
    // More than half of the file system: a copy would not fit.
    await writeFile(path, noise(220 * mib).fill(0, 0, 16), { mode: 0o600 });
    const digest = await sha256Of(path);
    const verification = { sha512: sha512(await readFile(path)) };
    const { image, events } = await importTelling(cloning, { source: { path }, verification });
    expect(image).toMatchObject({ sha256: digest, verified: { by: 'digest', algorithm: 'sha512' } });
    expect(image.downloaded).toBeUndefined();
    expect(JSON.stringify(events)).toContain('shares its blocks');
    const stored = cloning.home.image(image.id).file('raw');
    expect((await stat(stored)).mode & 0o777).toBe(0o444);
    // Later writes to the file are not the image's.
    await writeFile(path, 'changed');
    expect(await sha256Of(stored)).toBe(digest);
    const wrong = { source: { path: stored }, verification: { sha256: '0'.repeat(64) } };
    await refuseImport(cloning, wrong, 'IMAGE_DIGEST_MISMATCH');
  } finally {
    await execa('umount', [mountPoint]);
  }
});

it('a missing tool is named with its package, and nothing is left', async () => {
  const host = await openFetchingHost();
  const path = await compress(await makeImageFile(host.directory, 'qcow2'), 'zstd');
  const empty = join(host.directory, 'bin');
  await mkdir(empty);
  for (const tool of ['setpriv', 'prlimit']) {
    await symlink((await execa('which', [tool])).stdout, join(empty, tool));
  }
  const before = process.env['PATH'];
  process.env['PATH'] = empty;
  try {
    const error = await refuseImport(host, { source: { path } }, 'COMMAND_MISSING');
    expect(error.hint).toContain('install zstd');
  } finally {
    process.env['PATH'] = before;
  }
});

it('a bomb ends before the file system is full, and leaves nothing', async ({ skip }) => {
  const host = await openFetchingHost();
  const small = join(host.directory, 'small');
  await mkdir(small);
  const mounted = await execa('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'launch-itg', small], {
    reject: false,
  });
  if (mounted.exitCode !== 0) skip(`needs to mount a tmpfs: ${mounted.stderr}`);
  try {
    const full = { ...host, home: (await openFetchingHost({ directory: small })).home };
    const path = join(host.directory, 'bomb.gz');
    // 256 MiB of ones in 250 KB.
    await writeFile(path, gzipSync(Buffer.alloc(256 * mib, 1)));
    const error = await refuseImport(full, { source: { path } }, 'DISK_FULL');
    expect(error.details).toMatchObject({ path: full.home.images });
    expect(Number(error.details?.['freeBytes'])).toBeGreaterThan(mib);
    // The same of zeros takes no space, so it is just a large empty disk.
    const zeros = join(host.directory, 'zeros.gz');
    await writeFile(zeros, gzipSync(Buffer.concat([Buffer.alloc(256 * mib), Buffer.from([1])])));
    expect((await importTelling(full, { source: { path: zeros } })).image.sizeBytes).toBe(256 * mib + 1);
  } finally {
    await execa('umount', [small]);
    await rm(small, { recursive: true });
  }
});

describe('what compressors can do', () => {
  it('zstd may begin with frames to be skipped, as pzstd’s does', async () => {
    const host = await openFetchingHost();
    const disk = await makeImageFile(host.directory, 'qcow2');
    const packed = await readFile(await compress(disk, 'zstd'));
    const path = join(host.directory, 'pzstd.qcow2.zst');
    await writeFile(path, Buffer.concat([Buffer.from('502a4d180400000061626364', 'hex'), packed]));
    const { image } = await importTelling(host, { source: { path } });
    expect(image).toMatchObject({ format: 'qcow2', sha256: await sha256Of(disk) });
  });

  it.each([
    ['xz', ['xz', '-c', '--lzma2=dict=1536MiB']],
    ['zstd', ['zstd', '-q', '-c', '--ultra', '--long=30']],
  ] as const)('%s that takes too much memory is not called damaged', async (compression, command) => {
    const host = await openFetchingHost();
    const path = join(host.directory, 'large');
    const [file, ...args] = command;
    // Of unknown length, so that the window is as large as it was asked for.
    const { stdout } = await execa(file, args, {
      input: Buffer.alloc(mib),
      encoding: 'buffer',
      stripFinalNewline: false,
    });
    await writeFile(path, stdout);
    const error = await refuseImport(host, { source: { path } }, 'IMAGE_CORRUPT');
    expect(error.message).toContain(`its ${compression} data asks for more than 512 MiB of memory`);
  });
});

describe('a Vagrant box for libvirt', () => {
  async function makeBox(
    host: IntegrationHost,
    tarArguments: readonly string[],
    metadata: object = { provider: 'libvirt', format: 'qcow2', virtual_size: 1 },
    names: readonly string[] = ['metadata.json', 'Vagrantfile', 'box.img'],
  ) {
    const disk = await makeImageFile(host.directory, 'qcow2');
    const contents = join(host.directory, `contents-${names.length}`);
    await mkdir(contents, { recursive: true });
    await writeFile(join(contents, 'metadata.json'), JSON.stringify(metadata));
    await writeFile(join(contents, 'Vagrantfile'), 'exec("touch /tmp/never")');
    for (const name of names.filter((each) => each.endsWith('.img')))
      await copyFile(disk, join(contents, name));
    const path = join(host.directory, 'some.box');
    await execa('tar', [
      '-c',
      ...tarArguments,
      '-f',
      path,
      '-C',
      contents,
      ...names.map((name) => `./${name}`),
    ]);
    return { path, digest: await sha256Of(disk) };
  }

  it.each([
    ['gnu', ['--format=gnu']],
    ['ustar', ['--format=ustar']],
    ['pax', ['--format=pax']],
    ['gzip', ['-z']],
    ['xz', ['-J']],
    ['GNU’s sparse, as vagrant-libvirt’s create_box.sh writes it', ['-S', '-z']],
    ['pax’ sparse 1.0', ['-S', '--format=pax']],
  ])('%s: its disk is the image', async (_what, tarArguments) => {
    const host = await openFetchingHost();
    const { path, digest } = await makeBox(host, tarArguments);
    const { image } = await importTelling(host, { source: { path } });
    expect(image).toMatchObject({ format: 'qcow2', sha256: digest, downloaded: { archive: 'vagrant-box' } });
    expect(image.downloaded?.sha256).toBe(await sha256Of(path));
    expect(await listTree(host.home.image(image.id).directory)).toEqual(['image.json', 'image.qcow2']);
  });

  it('many holes, in either sparse format', async () => {
    const host = await openFetchingHost();
    const disk = join(host.directory, 'box.img');
    const handle = await open(disk, 'wx');
    // More pieces than a header of the old format has room for.
    for (let at = 0; at < 60; at += 1)
      await handle.write(noise(4096, at + 1).fill(0, 0, 16), 0, 4096, at * mib);
    await handle.truncate(64 * mib);
    await handle.close();
    await writeFile(join(host.directory, 'metadata.json'), '{"provider":"libvirt","format":"raw"}');
    for (const format of ['gnu', 'pax']) {
      const path = join(host.directory, `${format}.box`);
      await execa('tar', [
        '-cS',
        `--format=${format}`,
        '-f',
        path,
        '-C',
        host.directory,
        'metadata.json',
        'box.img',
      ]);
      expect((await stat(path)).size).toBeLessThan(2 * mib);
      const { image } = await importTelling(host, { source: { path } });
      expect(image).toMatchObject({ format: 'raw', sizeBytes: 64 * mib, sha256: await sha256Of(disk) });
      expect((await stat(host.home.image(image.id).file('raw'))).blocks * 512).toBeLessThan(8 * mib);
    }
  });

  it('metadata.json after the disk, and a disk that metadata.json names', async () => {
    const host = await openFetchingHost();
    const late = await makeBox(host, [], undefined, ['box.img', 'metadata.json']);
    expect((await importTelling(host, { source: { path: late.path } })).image.sha256).toBe(late.digest);
    const named = { provider: 'libvirt', disks: [{ path: 'disk1.img', format: 'qcow2' }] };
    const second = await makeBox(host, [], named, ['metadata.json', 'disk1.img', 'Vagrantfile', 'box.img']);
    expect((await importTelling(host, { source: { path: second.path } })).image.sha256).toBe(second.digest);
  });

  it('a long name, a directory, and an empty box beside it', async () => {
    const host = await openFetchingHost();
    const disk = await makeImageFile(host.directory, 'qcow2');
    const long = `${'d'.repeat(90)}/${'e'.repeat(90)}.txt`;
    await mkdir(join(host.directory, 'd'.repeat(90)));
    await writeFile(join(host.directory, long), 'text');
    await copyFile(disk, join(host.directory, 'box.img'));
    await writeFile(join(host.directory, 'metadata.json'), '{}');
    for (const format of ['gnu', 'pax']) {
      const path = join(host.directory, `${format}.box`);
      const names = ['d'.repeat(90), 'metadata.json', 'box.img'];
      await execa('tar', ['-c', `--format=${format}`, '-f', path, '-C', host.directory, ...names]);
      expect((await importTelling(host, { source: { path } })).image.sha256).toBe(await sha256Of(disk));
    }
  });

  it('a digest that is not the box’s, and a format that is not the disk’s', async () => {
    const host = await openFetchingHost();
    const { path, digest } = await makeBox(host, ['-z']);
    await refuseImport(host, { source: { path }, verification: { sha256: digest } }, 'IMAGE_DIGEST_MISMATCH');
    const wrong = await makeBox(host, [], { provider: 'libvirt', format: 'raw' });
    await refuseImport(host, { source: { path: wrong.path } }, 'IMAGE_FORMAT_MISMATCH');
  });

  const metadata: TarEntry = { name: 'metadata.json', content: '{"provider":"libvirt","format":"qcow2"}' };
  const disk: TarEntry = { name: 'box.img', content: noise(4096) };
  const described = (content: string): TarEntry => ({ name: 'metadata.json', content });

  it.each<[string, readonly (TarEntry | Buffer)[], RegExp]>([
    ['no box.img', [metadata, { name: 'Vagrantfile', content: 'x' }], /no "box\.img"/],
    ['no metadata.json', [disk], /without metadata\.json/],
    ['a name that leads out', [metadata, { ...disk, name: '../box.img' }], /leads out/],
    ['a name that leads out later', [metadata, disk, { name: 'a/../../b' }], /leads out/],
    ['an absolute name', [metadata, { ...disk, name: '/etc/cron.d/x' }], /leads out/],
    [
      'a symbolic link',
      [metadata, { name: 'box.img', type: '2', linkName: '/etc/shadow' }],
      /a symbolic link/,
    ],
    ['a hard link', [metadata, disk, { name: 'x', type: '1', linkName: 'box.img' }], /a hard link/],
    ['a device', [metadata, { name: 'box.img', type: '4' }], /a device/],
    ['a pipe', [metadata, { name: 'box.img', type: '6' }], /a pipe/],
    ['an unknown kind', [metadata, { name: 'box.img', type: 'Z' }], /unknown kind/],
    ['box.img twice', [metadata, disk, disk], /"box\.img" twice/],
    ['box.img twice, before metadata.json', [disk, disk, metadata], /"box\.img" twice/],
    ['metadata.json twice', [metadata, metadata, disk], /twice/],
    ['another provider', [described('{"provider":"virtualbox"}'), disk], /"virtualbox"/],
    [
      'several disks, and not the first',
      [described('{"disks":[{"path":"a.img"},{"path":"box.img"}]}'), disk],
      /no "a\.img"/,
    ],
    [
      'a disk named twice',
      [described('{"disks":[{"path":"a.img"},{"path":"./a.img"}]}'), disk],
      /names a disk twice/,
    ],
    ['no disks', [described('{"disks":[]}'), disk], /names no disk/],
    [
      'another disk than came before',
      [disk, described('{"disks":[{"path":"b.img"}]}')],
      /names another disk|no "b\.img"/,
    ],
    ['metadata that is no JSON', [described('{'), disk], /not JSON/],
    ['metadata of another shape', [described('{"disks":"box.img"}'), disk], /damaged/],
    ['metadata too long', [described(' '.repeat(65537)), disk], /too long/],
    [
      'a disk that is cut short',
      [metadata, Buffer.concat([tarArchive({ ...disk, sizeBytes: 1e9 }).subarray(0, 2048)])],
      /in the middle/,
    ],
    ['a length that is absurd', [metadata, { ...disk, sizeBytes: 8 ** 11 - 1 }], /in the middle/],
    ['a header that is damaged', [metadata, Buffer.alloc(512, 7)], /damaged/],
    [
      'a pax size that is absurd',
      [metadata, { name: 'x', type: 'x', content: '29 size=99999999999999999999\n' }, disk],
      /damaged/,
    ],
    ['a pax header too long', [{ name: 'x', type: 'x', content: 'x'.repeat(70_000) }, metadata], /too long/],
    [
      'a pax header that is none',
      [{ name: 'x', type: 'x', content: '9999 path=x\n' }, metadata],
      /cannot be read/,
    ],
    [
      'a pax name that leads out',
      [metadata, { name: 'x', type: 'x', content: '15 path=../x.i\n' }, disk],
      /leads out/,
    ],
    [
      'a GNU name that leads out',
      [metadata, { name: 'x', type: 'L', content: '../../etc/x\0' }, disk],
      /leads out/,
    ],
    [
      'old sparse pax',
      [metadata, { name: 'x', type: 'x', content: '22 GNU.sparse.map=0,1\n' }, disk],
      /old way/,
    ],
    [
      'a thousand entries',
      [metadata, ...Array.from({ length: 1001 }, () => ({ name: 'x' })), disk],
      /1000 entries/,
    ],
  ])('%s is refused, and nothing is left', async (_what, entries, reason) => {
    const host = await openFetchingHost();
    const path = join(host.directory, 'evil.box');
    await writeFile(path, tarArchive(...entries));
    const around = await listTree(host.directory);
    for (const source of [
      { path },
      { stream: createReadStream(path) as AsyncIterable<Uint8Array>, displayName: 'standard input' },
    ]) {
      const error = await refuseImport(host, { source }, 'IMAGE_ARCHIVE_INVALID');
      expect(error.message).toMatch(reason);
    }
    const kept = ['home/', 'home/images/', 'home/locks/', ...around];
    expect((await listTree(host.directory)).filter((each) => !kept.includes(each))).toEqual([]);
  });

  it('what only looks like an archive is a raw disk', async () => {
    const host = await openFetchingHost();
    const path = join(host.directory, basename('boot.raw'));
    const content = noise(mib).fill(0, 0, 512);
    content.write('ustar', 257);
    await writeFile(path, content);
    // The header check says what it thinks of it.
    await refuseImport(host, { source: { path } }, 'IMAGE_FORMAT_BANNED', 'IMAGE_FORMAT_UNKNOWN');
  });
});
