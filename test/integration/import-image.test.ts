import { randomUUID } from 'node:crypto';
import { closeSync, constants, createReadStream, openSync } from 'node:fs';
import { chmod, mkdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import type { WorkEvent } from '../../src/host/work.js';
import { listImages } from '../../src/image/image-store.js';
import { exportImage, streamImage } from '../../src/instance/images/export-image.js';
import { importImageFile, renameImageTo, verifyStoredImage } from '../../src/instance/images/image-verbs.js';
import { diskFormats, type DiskFormat } from '../../src/qemu-img/disk-format.js';
import {
  expectRefusal,
  importTiny,
  listTree,
  makeImageFile,
  makeRawDisk,
  mib,
  noise,
  openIntegrationHost,
  qemuImgInfo,
  sha256Of,
  type IntegrationHost,
} from '../support/integration-host.js';

describe('importing what qemu-img makes', () => {
  const kinds: readonly { readonly format: DiskFormat; readonly creation?: string }[] = [
    ...diskFormats.map((format) => ({ format })),
    { format: 'qcow2', creation: 'compat=0.10' },
    { format: 'qcow2', creation: 'extended_l2=on,compression_type=zstd' },
    { format: 'vmdk', creation: 'subformat=streamOptimized' },
    { format: 'vpc', creation: 'subformat=fixed,force_size=on' },
    { format: 'vhdx', creation: 'subformat=fixed' },
  ];

  it.each(kinds)('$format $creation: recorded, and exported byte by byte', async (kind) => {
    const host = await openIntegrationHost();
    const path = await makeImageFile(host.directory, kind.format, kind);
    const sha256 = await sha256Of(path);
    const image = await importImageFile(host, {
      source: { path },
      name: 'an image',
      properties: { os_distro: 'none' },
      minDiskGib: 1,
      minRamMib: 64,
    });
    const info = await qemuImgInfo(path, kind.format);
    expect(image).toEqual({
      id: image.id,
      name: 'an image',
      format: kind.format,
      sizeBytes: (await stat(path)).size,
      virtualSizeBytes: info['virtual-size'],
      sha256,
      minDiskGib: 1,
      minRamMib: 64,
      properties: { os_distro: 'none' },
      source: path,
      createdAt: '2026-01-01T00:00:01.000Z',
    });
    expect(await listTree(host.home.root)).toEqual([
      'images/',
      `images/${image.id}/`,
      ...['image.json', `image.${kind.format}`].sort().map((name) => `images/${image.id}/${name}`),
      'locks/',
    ]);
    expect(await listImages(host.home)).toEqual({ images: [image], damaged: [] });
    expect((await stat(host.home.image(image.id).file(kind.format))).mode & 0o777).toBe(0o444);
    const exported = join(host.directory, 'exported');
    await exportImage(host, 'an image', exported);
    expect(await sha256Of(exported)).toBe(sha256);
    expect((await verifyStoredImage(host, image.id.slice(0, 8))).sha256).toBe(sha256);
  });

  it('a stream, as of standard input, in pieces of any length', async () => {
    const host = await openIntegrationHost();
    const path = await makeImageFile(host.directory, 'qcow2');
    const content = await readFile(path);
    async function* pieces(): AsyncGenerator<Uint8Array> {
      for (let at = 0, length = 1; at < content.length; at += length, length = (length * 7) % 100_003) {
        yield content.subarray(at, at + length);
      }
    }
    const source = { stream: pieces(), displayName: 'standard input' };
    const image = await importImageFile(host, { source, name: 'streamed' });
    expect(image).toMatchObject({ source: 'standard input', sha256: await sha256Of(path), format: 'qcow2' });
    const read: Uint8Array[] = [];
    for await (const chunk of await streamImage(host, 'streamed')) read.push(chunk);
    expect(Buffer.concat(read).equals(content)).toBe(true);
  });

  it('a named pipe, whose writer comes late', async () => {
    const host = await openIntegrationHost();
    const path = await makeImageFile(host.directory, 'qcow2', { dataBytes: 2 * mib });
    const pipe = join(host.directory, 'pipe');
    await execa('mkfifo', [pipe]);
    const writer = sleep(100).then(() => execa('cp', [path, pipe]));
    const image = await importImageFile(host, { source: { path: pipe }, name: 'piped' });
    await writer;
    expect(image).toMatchObject({ format: 'qcow2', sha256: await sha256Of(path) });
  });

  it('a sparse raw disk stays sparse, whether it comes from a file or a stream', async () => {
    const host = await openIntegrationHost();
    const path = await makeRawDisk(join(host.directory, 'sparse'), {
      virtualSizeBytes: 128 * mib,
      dataBytes: mib,
    });
    const sources = [{ path }, { stream: createReadStream(path), displayName: 'standard input' }];
    for (const [index, source] of sources.entries()) {
      const image = await importImageFile(host, { source, name: `sparse ${index}` });
      const stored = await stat(host.home.image(image.id).file('raw'));
      expect(stored.size).toBe(128 * mib);
      expect(stored.blocks * 512).toBeLessThan(2 * mib);
      expect(image.sha256).toBe(await sha256Of(path));
    }
  });

  it('invariant 10: a sparse raw disk is exported sparse', async () => {
    const host = await openIntegrationHost();
    const path = await makeRawDisk(join(host.directory, 'sparse'), { virtualSizeBytes: 128 * mib });
    await importImageFile(host, { source: { path }, name: 'sparse' });
    const exported = join(host.directory, 'exported');
    await exportImage(host, 'sparse', exported);
    expect((await stat(exported)).blocks * 512).toBeLessThan(4 * mib);
  });

  it('a raw disk whose length is no multiple of a sector', async () => {
    const host = await openIntegrationHost();
    const path = join(host.directory, 'odd');
    await writeFile(path, noise(mib + 100).fill(0, 0, 16));
    const image = await importImageFile(host, { source: { path }, name: 'odd', format: 'raw' });
    expect(image).toMatchObject({ sizeBytes: mib + 100, virtualSizeBytes: mib + 512 });
  });

  it('a symbolic link, a name with a comma, and a name that looks like an option of qemu-img', async () => {
    const host = await openIntegrationHost();
    const path = await makeImageFile(host.directory, 'qcow2');
    const link = join(host.directory, 'file.driver=nbd,host=evil:1');
    await symlink(path, link);
    expect(await importImageFile(host, { source: { path: link }, name: 'linked' })).toMatchObject({
      source: link,
      sha256: await sha256Of(path),
    });
  });

  it('several images of one name, each with an id of its own', async () => {
    const host = await openIntegrationHost();
    const first = await importTiny(host);
    const second = await importTiny(host, { seed: 2 });
    const error = await expectRefusal(verifyStoredImage(host, 'tiny'), 'IMAGE_AMBIGUOUS');
    expect(error.details).toEqual({ ids: [first.id, second.id] });
    await renameImageTo(host, second.id, 'other');
    expect((await verifyStoredImage(host, 'tiny')).image).toEqual(first);
  });

  it('an id that is asked for, in any case', async () => {
    const host = await openIntegrationHost();
    const id = '1E6292F9-82BD-4CDB-969E-C863CB1C6692';
    expect((await importTiny(host, { id })).id).toBe(id.toLowerCase());
  });

  it('notices later that the stored file has changed', async () => {
    const host = await openIntegrationHost();
    const image = await importTiny(host);
    const stored = host.home.image(image.id).file('qcow2');
    const content = await readFile(stored);
    content[content.length - 1] = 1 + (content.at(-1) ?? 0);
    await chmod(stored, 0o644);
    await writeFile(stored, content);
    const error = await expectRefusal(verifyStoredImage(host, 'tiny'), 'IMAGE_DIGEST_MISMATCH');
    expect(error.details).toEqual({ expected: image.sha256, found: await sha256Of(stored) });
  });

  it('exports over nothing that is there already', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const target = join(host.directory, 'precious');
    await writeFile(target, 'precious');
    const before = await listTree(host.directory);
    await expectRefusal(exportImage(host, 'tiny', target), 'FILE_SYSTEM');
    await expectRefusal(exportImage(host, 'tiny', join(host.directory, 'none', 'target')), 'FILE_SYSTEM');
    expect(await listTree(host.directory)).toEqual(before);
    expect(await readFile(target, 'utf8')).toBe('precious');
  });
});

/** Imports, and looks that the refusal left the home as it was: one image, and nothing else. */
async function refuseImport(
  host: IntegrationHost,
  request: Partial<Parameters<typeof importImageFile>[1]> &
    Pick<Parameters<typeof importImageFile>[1], 'source'>,
  ...codes: Parameters<typeof expectRefusal> extends [unknown, ...infer Codes] ? Codes : never
) {
  const before = await listTree(host.home.root);
  const error = await expectRefusal(importImageFile(host, { name: 'stranger', ...request }), ...codes);
  const kept = ['images/', 'locks/', ...before];
  expect((await listTree(host.home.root)).filter((path) => !kept.includes(path))).toEqual([]);
  return error;
}

describe('invariants 5 and 8: what is refused leaves nothing', () => {
  it('a truncated qcow2 whose data is missing, that its header does not show', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const path = await makeImageFile(host.directory, 'qcow2', { dataBytes: 8 * mib });
    await truncate(path, 4 * mib);
    await refuseImport(host, { source: { path } }, 'IMAGE_CORRUPT', 'IMAGE_TRUNCATED');
    await refuseImport(
      host,
      { source: { stream: createReadStream(path), displayName: 'standard input' } },
      'IMAGE_CORRUPT',
      'IMAGE_TRUNCATED',
    );
  });

  it.each([1, 100, 65536, 262144])('a qcow2 cut after %i bytes', async (lengthBytes) => {
    const host = await openIntegrationHost();
    const path = await makeImageFile(host.directory, 'qcow2');
    await truncate(path, lengthBytes);
    await importTiny(host);
    await refuseImport(
      host,
      { source: { path }, format: 'qcow2' },
      ...(['IMAGE_CORRUPT', 'IMAGE_TRUNCATED', 'IMAGE_FORMAT_MISMATCH'] as const),
    );
  });

  it('a qcow2 whose tables refer to each other, named as its user knows it', async () => {
    const host = await openIntegrationHost();
    const path = await makeImageFile(host.directory, 'qcow2');
    const bytes = await readFile(path);
    const l1Offset = Number(bytes.readBigUInt64BE(40));
    bytes.writeBigUInt64BE((1n << 63n) | BigInt(l1Offset), l1Offset);
    const odd = join(host.directory, 'a disk.qcow2');
    await writeFile(odd, bytes);
    const error = await refuseImport(host, { source: { path: odd } }, 'IMAGE_CORRUPT');
    expect(error.message).toMatch(/^refused "a disk.qcow2": its data is damaged: /);
    expect(error.hint).toContain("qemu-img check -f qcow2 'a disk.qcow2'");
  });

  it('a qcow2 with a backing file, which qemu-img never gets to see', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const base = await makeRawDisk(join(host.directory, 'secret'));
    const path = join(host.directory, 'evil.qcow2');
    await execa('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', base, '-F', 'raw', path]);
    const seen = host.runner.calls.length;
    await refuseImport(host, { source: { path } }, 'IMAGE_BACKING_FILE');
    await refuseImport(
      host,
      { source: { path }, format: 'raw' },
      'IMAGE_FORMAT_MISMATCH',
      'IMAGE_BACKING_FILE',
    );
    expect(host.runner.calls.slice(seen)).toEqual([]);
  });

  it('a qcow2 with an external data file', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const path = join(host.directory, 'evil.qcow2');
    const data = join(host.directory, 'data');
    await execa('qemu-img', [
      ...['create', '-q', '-f', 'qcow2', '-o', `data_file=${data},data_file_raw=on`, path, '1M'],
    ]);
    await refuseImport(host, { source: { path } }, 'IMAGE_EXTERNAL_DATA');
  });

  it('an empty file, and an empty stream', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const path = join(host.directory, 'empty');
    await writeFile(path, '');
    await refuseImport(host, { source: { path } }, 'IMAGE_EMPTY');
    const stream = Readable.from([]) as AsyncIterable<Uint8Array>;
    await refuseImport(host, { source: { stream, displayName: 'standard input' } }, 'IMAGE_EMPTY');
  });

  it.each(diskFormats.filter((format) => format !== 'qcow2'))(
    'a qcow2 that is said to be %s',
    async (format) => {
      const host = await openIntegrationHost();
      const path = await makeImageFile(host.directory, 'qcow2');
      await importTiny(host);
      await refuseImport(host, { source: { path }, format }, 'IMAGE_FORMAT_MISMATCH');
    },
  );

  it('a file that is not there, or is a directory', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    await refuseImport(host, { source: { path: join(host.directory, 'none') } }, 'IMAGE_UNREADABLE');
    await refuseImport(host, { source: { path: host.directory } }, 'IMAGE_UNREADABLE');
    await refuseImport(host, { source: { path: join(host.home.flavorsFile, 'a') } }, 'IMAGE_UNREADABLE');
  });

  it('names and ids that cannot be, before anything is read', async () => {
    const host = await openIntegrationHost();
    const path = await makeImageFile(host.directory, 'qcow2');
    for (const name of ['', ' a', '-rf', 'a\nb', 'a\u202eb', 'a'.repeat(256)]) {
      await refuseImport(host, { source: { path }, name }, 'NAME_INVALID');
    }
    for (const id of ['', '../../etc', '1e6292f9', `${randomUUID()}/..`]) {
      await refuseImport(host, { source: { path }, id }, 'ARGUMENT_INVALID');
    }
  });

  it('a stream that breaks off', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const stream = (async function* (): AsyncGenerator<Uint8Array> {
      yield noise(mib);
      throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
    })();
    await refuseImport(host, { source: { stream, displayName: 'standard input' } }, 'FILE_SYSTEM');
  });

  it('every command that fails, in turn', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const path = await makeImageFile(host.directory, 'qcow2', { seed: 3 });
    const failures = [];
    for (let call = 1; ; call += 1) {
      const before = await listTree(host.home.root);
      host.runner.failAt(call);
      const failed = await importImageFile(host, { source: { path }, name: 'stranger' }).then(
        () => undefined,
        (error: unknown) => error,
      );
      host.runner.clearFaults();
      if (failed === undefined) break;
      failures.push(failed);
      expect(failed).toMatchObject({ code: 'IMAGE_CORRUPT' });
      expect(await listTree(host.home.root)).toEqual(before);
    }
    expect(failures.length).toBeGreaterThanOrEqual(2);
  });
});

describe('two imports with the same id at once', () => {
  it('one wins, the others are refused, nothing else stays', async () => {
    const host = await openIntegrationHost();
    const id = randomUUID();
    const paths: string[] = [];
    for (const seed of [1, 2, 3, 4]) {
      const directory = join(host.directory, `${seed}`);
      await mkdir(directory);
      paths.push(await makeImageFile(directory, 'qcow2', { seed }));
    }
    const results = await Promise.allSettled(
      paths.map((path) => importImageFile(host, { source: { path }, name: path.slice(-12), id })),
    );
    const won = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    const lost = results.flatMap((result) =>
      result.status === 'rejected' ? [result.reason as unknown] : [],
    );
    expect(won).toHaveLength(1);
    expect(lost).toHaveLength(3);
    for (const error of lost) expect(error).toMatchObject({ code: 'IMAGE_EXISTS' });
    expect((await listImages(host.home)).images).toEqual(won);
    expect((await verifyStoredImage(host, id)).sha256).toBe(won[0]?.sha256);
    expect(await listTree(host.home.root)).toHaveLength(5);
  });

  it('a later one is refused before it reads a byte', async () => {
    const host = await openIntegrationHost();
    const { id } = await importTiny(host);
    let read = false;
    const stream = (async function* (): AsyncGenerator<Uint8Array> {
      read = true;
      yield noise(16);
    })();
    await refuseImport(host, { source: { stream, displayName: 'standard input' }, id }, 'IMAGE_EXISTS');
    expect(read).toBe(false);
  });
});

describe('invariant 5: an import that is interrupted leaves nothing', () => {
  async function interruptAt(
    host: IntegrationHost,
    path: string,
    isMoment: (event: WorkEvent) => boolean,
  ): Promise<boolean> {
    const before = await listTree(host.home.root);
    const controller = new AbortController();
    let aborted = false;
    const onEvent = (event: WorkEvent) => {
      if (aborted || !isMoment(event)) return;
      aborted = true;
      controller.abort();
    };
    const promise = importImageFile(
      host,
      { source: { path }, name: 'cut' },
      { signal: controller.signal, onEvent },
    );
    if (
      await promise.then(
        () => true,
        () => false,
      )
    ) {
      expect(aborted).toBe(false);
      return false;
    }
    await expectRefusal(promise, 'INTERRUPTED');
    expect(await listTree(host.home.root)).toEqual(before);
    return true;
  }

  it('while it waits for the writer of a named pipe, which it then leaves', async () => {
    const host = await openIntegrationHost();
    const path = join(host.directory, 'pipe');
    await execa('mkfifo', [path]);
    const promise = importImageFile(
      host,
      { source: { path }, name: 'cut' },
      { signal: AbortSignal.timeout(200) },
    );
    await expectRefusal(promise, 'INTERRUPTED');
    expect(await listTree(host.home.images)).toEqual([]);
    // No thread of ours waits in open: there is nobody who reads.
    const canWrite = () => {
      try {
        closeSync(openSync(path, constants.O_WRONLY | constants.O_NONBLOCK));
        return 'there is a reader';
      } catch (error) {
        return (error as NodeJS.ErrnoException).code;
      }
    };
    await sleep(50);
    // Asked once: a writer would let go who waits.
    expect(canWrite()).toBe('ENXIO');
  });

  it('in the middle of the copy', async () => {
    const host = await openIntegrationHost();
    const path = await makeImageFile(host.directory, 'raw', { dataBytes: 8 * mib });
    await importTiny(host);
    const inTheMiddle = (event: WorkEvent) =>
      event.type === 'step-progress' && (event.doneBytes ?? 0) > 3 * mib;
    expect(await interruptAt(host, path, inTheMiddle)).toBe(true);
  });

  it('at every event in turn', async () => {
    const host = await openIntegrationHost();
    const path = await makeImageFile(host.directory, 'qcow2');
    await importTiny(host);
    for (let moment = 1; ; moment += 1) {
      let seen = 0;
      if (!(await interruptAt(host, path, () => (seen += 1) === moment))) break;
      expect(moment).toBeLessThan(100);
    }
  });

  it('before it began', async () => {
    const host = await openIntegrationHost();
    const path = await makeImageFile(host.directory, 'qcow2');
    await importTiny(host);
    const before = await listTree(host.home.root);
    const work = { signal: AbortSignal.abort() };
    await expectRefusal(importImageFile(host, { source: { path }, name: 'cut' }, work), 'INTERRUPTED');
    expect(await listTree(host.home.root)).toEqual(before);
  });

  it.each([
    { moment: 'before the first byte of a stream', first: Buffer.alloc(0) },
    { moment: 'while a stream gives nothing more', first: noise(mib) },
  ])('$moment', async ({ first }) => {
    const host = await openIntegrationHost();
    const stream = new PassThrough();
    const controller = new AbortController();
    if (first.length > 0) stream.write(first);
    const promise = importImageFile(
      host,
      { source: { stream: stream as AsyncIterable<Uint8Array>, displayName: 'standard input' }, name: 'cut' },
      {
        signal: controller.signal,
        onEvent: (event) => {
          if (event.type !== (first.length > 0 ? 'step-progress' : 'step-started')) return;
          setImmediate(() => {
            controller.abort();
          });
        },
      },
    );
    const patience = new AbortController();
    const gaveUp = sleep(1000, undefined, { signal: patience.signal }).then(() => {
      throw new Error('it did not end');
    });
    try {
      await expectRefusal(Promise.race([promise, gaveUp]), 'INTERRUPTED');
    } finally {
      patience.abort();
      stream.destroy();
      await Promise.allSettled([promise, gaveUp]);
    }
    expect(await listTree(host.home.images)).toEqual([]);
  });
});

it('a full disk is DISK_FULL, says how much was needed, and leaves nothing', async ({ skip }) => {
  const host = await openIntegrationHost();
  const path = await makeImageFile(host.directory, 'raw', { dataBytes: 8 * mib });
  const small = join(host.directory, 'small');
  await mkdir(small);
  const mounted = await execa('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'launch-itg', small], {
    reject: false,
  });
  if (mounted.exitCode !== 0) skip(`needs to mount a tmpfs: ${mounted.stderr}`);
  try {
    const full = { ...(await openIntegrationHost({ directory: small })), directory: host.directory };
    const error = await refuseImport(full, { source: { path } }, 'DISK_FULL');
    expect(error.message).toContain('8.1 MiB');
    // A stream does not say how long it is, so the disk fills up on the way.
    const source = { stream: createReadStream(path), displayName: 'standard input' };
    await refuseImport(full, { source }, 'DISK_FULL');
    expect(await listTree(full.home.images)).toEqual([]);
  } finally {
    await execa('umount', [small]);
    await rm(small, { recursive: true });
  }
});
