import { mkdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { WorkEvent } from '../../src/host/work.js';
import { exportFormats, type ExportFormat } from '../../src/image/export/export-format.js';
import { exportImage } from '../../src/instance/images/export-image.js';
import { importImageFile } from '../../src/instance/images/image-verbs.js';
import { diskFormats, type DiskFormat } from '../../src/qemu-img/disk-format.js';
import {
  expectRefusal,
  importTiny,
  listLitter,
  listTree,
  makeImageFile,
  makeRawDisk,
  mib,
  openIntegrationHost,
  qemuImgInfo,
  sha256Of,
  type IntegrationHost,
} from '../support/integration-host.js';

/** What a guest would read, whatever the file is. */
async function contentOf(path: string, format: DiskFormat): Promise<string> {
  const raw = `${path}.content`;
  await execa('qemu-img', ['convert', '-f', format, '-O', 'raw', path, raw]);
  const digest = await sha256Of(raw);
  await rm(raw);
  return digest;
}

async function exportAndImport(
  host: IntegrationHost,
  reference: string,
  options: { readonly format: ExportFormat; readonly compress?: boolean },
): Promise<{ readonly sizeBytes: number; readonly path: string; readonly id: string }> {
  const path = join(host.directory, `exported-${options.format}-${String(options.compress)}`);
  const exported = await exportImage(host, reference, path, options);
  expect(exported).toMatchObject({ path, format: options.format, sizeBytes: (await stat(path)).size });
  const image = await importImageFile(host, { source: { path }, name: `again-${options.format}` });
  return { path, sizeBytes: exported.sizeBytes, id: image.id };
}

describe('a guest sees the same', () => {
  it.each(
    diskFormats.map((from) => [from, from === 'qcow2' ? exportFormats : (['box', 'raw'] as const)] as const),
  )('in an image imported as %s and exported as any of %j', async (from, formats) => {
    const host = await openIntegrationHost();
    const source = await makeImageFile(host.directory, from);
    const content = await contentOf(source, from);
    const original = await importImageFile(host, { source: { path: source }, name: 'original' });
    for (const to of formats) {
      const { id } = await exportAndImport(host, 'original', { format: to });
      const again = await exportImage(host, id, join(host.directory, `again-${to}`), { format: 'raw' });
      expect(again.sizeBytes).toBe(original.virtualSizeBytes);
      expect(await sha256Of(again.path), to).toBe(content);
    }
    const temporary = (await listTree(host.directory)).filter((path) => path.endsWith('.tmp'));
    expect(temporary).toEqual([]);
  });

  it.each(['qcow2', 'vmdk', 'box'] as const)('compressed as %s, in fewer bytes', async (format) => {
    const host = await openIntegrationHost();
    const source = join(host.directory, 'text.raw');
    // Compresses well, and is no hole.
    await writeFile(source, Buffer.alloc(8 * mib, 'no zeros here, but the same again and again. '));
    await importImageFile(host, { source: { path: source }, name: 'text' });
    const plain = await exportAndImport(host, 'text', { format });
    const compressed = await exportAndImport(host, 'text', { format, compress: true });
    expect(compressed.sizeBytes).toBeLessThan(plain.sizeBytes / 4);
    const again = join(host.directory, 'again.raw');
    await exportImage(host, compressed.id, again, { format: 'raw' });
    expect(await sha256Of(again)).toBe(await sha256Of(source));
  });

  it('in a disk of an odd number of sectors, filled up with zeros where a format rounds up, which is said', async () => {
    const host = await openIntegrationHost();
    const virtualSizeBytes = 5 * mib + 512;
    const source = await makeRawDisk(join(host.directory, 'odd.raw'), { virtualSizeBytes, dataBytes: mib });
    await importImageFile(host, { source: { path: source }, name: 'odd' });
    for (const format of exportFormats) {
      const events: WorkEvent[] = [];
      const path = join(host.directory, `exported.${format}`);
      await exportImage(host, 'odd', path, { format, onEvent: (event) => events.push(event) });
      const { virtualSizeBytes: grown, id } = await importImageFile(host, { source: { path }, name: format });
      const notice = events.find((event) => event.type === 'notice')?.message;
      if (grown === virtualSizeBytes) expect(notice).toBeUndefined();
      else expect(notice).toContain(`a guest sees ${grown} bytes instead of ${virtualSizeBytes}`);
      const again = join(host.directory, 'again.raw');
      await exportImage(host, id, again, { format: 'raw' });
      const content = await readFile(again);
      expect(content.subarray(0, virtualSizeBytes).equals(await readFile(source)), format).toBe(true);
      expect(content.subarray(virtualSizeBytes).every((byte) => byte === 0)).toBe(true);
      await rm(again);
    }
  });
});

describe('an export', () => {
  it('of a large, nearly empty disk is small in every format', async () => {
    const host = await openIntegrationHost();
    await importTiny(host, { virtualSizeBytes: 20 * 1024 * mib });
    for (const format of exportFormats) {
      const { allocatedBytes } = await exportImage(host, 'tiny', join(host.directory, `tiny.${format}`), {
        format,
      });
      expect(allocatedBytes, format).toBeLessThan(24 * mib);
    }
  });

  it('tells its bytes while it works', async () => {
    const host = await openIntegrationHost();
    await importTiny(host, { dataBytes: 8 * mib });
    const events: WorkEvent[] = [];
    await exportImage(host, 'tiny', join(host.directory, 'tiny.box'), {
      format: 'box',
      onEvent: (event) => events.push(event),
    });
    const last = events.filter((event) => event.type === 'step-progress').at(-1);
    expect(last).toMatchObject({ step: 'packed', doneBytes: last?.totalBytes });
    expect(last?.totalBytes).toBeGreaterThan(8 * mib);
    expect(events.at(-1)).toMatchObject({ type: 'step-done', message: /box for libvirt/ });
  });

  it('that cannot be compressed is refused, and says what can be', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    for (const format of ['raw', 'vdi', 'vpc', 'vhdx'] as const) {
      const target = join(host.directory, 'target');
      const error = await expectRefusal(
        exportImage(host, 'tiny', target, { format, compress: true }),
        'ARGUMENT_INVALID',
      );
      expect(error.hint).toContain('qcow2, vmdk, box');
    }
    expect((await listTree(host.directory)).filter((path) => path.startsWith('target'))).toEqual([]);
  });

  it('that is interrupted, or whose conversion fails, leaves nothing', async () => {
    const host = await openIntegrationHost();
    await importTiny(host, { dataBytes: 8 * mib });
    const before = await listTree(host.directory);
    for (const [format, step] of [
      ['vmdk', 'converted'],
      ['qcow2', 'exported'],
      ['box', 'packed'],
    ] as const) {
      const stopping = new AbortController();
      const work = {
        signal: stopping.signal,
        onEvent: (event: WorkEvent) => {
          if (event.type === 'step-started' && event.step === step) stopping.abort();
        },
      };
      const target = join(host.directory, `target-${format}`);
      await expectRefusal(exportImage(host, 'tiny', target, { ...work, format }), 'INTERRUPTED');
    }
    const { id, format } = await importTiny(host, { name: 'broken' });
    await rm(host.home.image(id).file(format));
    await expectRefusal(
      exportImage(host, 'broken', join(host.directory, 'target'), { format: 'raw' }),
      'COMMAND_FAILED',
    );
    await rm(host.home.image(id).directory, { recursive: true });
    expect(
      await listLitter(
        host,
        before.map((path) => path.replace(/^home\//, '')),
      ),
    ).toEqual([]);
    expect((await listTree(host.directory)).filter((path) => /target|\.tmp/.test(path))).toEqual([]);
  });

  it.each(['raw', 'box', 'vdi'] as const)(
    'as %s that does not fit is an error with the bytes, and leaves nothing',
    async (format) => {
      const host = await openIntegrationHost();
      const small = join(host.directory, 'small');
      await mkdir(small);
      await execa('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', small]);
      onTestFinished(async () => {
        await execa('umount', [small]);
      });
      await importTiny(host, { dataBytes: 8 * mib });
      const error = await expectRefusal(
        exportImage(host, 'tiny', join(small, 'target'), { format }),
        'DISK_FULL',
      );
      expect(error.message).toMatch(/it needs 8(\.\d+)? MiB/);
      expect(await listTree(small)).toEqual([]);
    },
  );

  it('does not write through a link that stands where its temporary file would', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const target = join(host.directory, 'target.box');
    await symlink(join(host.directory, 'precious'), target);
    // A link that leads nowhere is not followed either: what is renamed takes its place.
    await exportImage(host, 'tiny', target, { format: 'box' });
    expect((await stat(target)).isFile()).toBe(true);
    expect((await listTree(host.directory)).filter((path) => path === 'precious')).toEqual([]);
  });
});

describe('a box', () => {
  it('has what vagrant-libvirt asks for, as tar and qemu-img read it', async () => {
    const host = await openIntegrationHost();
    await importTiny(host, { virtualSizeBytes: 1200 * mib, properties: { os_admin_user: 'debian' } });
    const path = join(host.directory, 'tiny.box');
    await exportImage(host, 'tiny', path, { format: 'box' });
    const unpacked = join(host.directory, 'unpacked');
    await mkdir(unpacked);
    const { stdout, stderr } = await execa('tar', ['-xvf', path, '-C', unpacked]);
    expect(stderr).toBe('');
    expect(stdout.split('\n')).toEqual(['metadata.json', 'Vagrantfile', 'box.img']);
    expect(JSON.parse(await readFile(join(unpacked, 'metadata.json'), 'utf8'))).toEqual({
      provider: 'libvirt',
      format: 'qcow2',
      virtual_size: 2,
    });
    expect(await readFile(join(unpacked, 'Vagrantfile'), 'utf8')).toContain("config.ssh.username = 'debian'");
    expect(await qemuImgInfo(join(unpacked, 'box.img'), 'qcow2')).toMatchObject({ format: 'qcow2' });
  });

  it('is the same, byte by byte, for the same image', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    for (const name of ['one', 'two']) {
      await exportImage(host, 'tiny', join(host.directory, name), { format: 'box', compress: true });
    }
    expect(await sha256Of(join(host.directory, 'one'))).toBe(await sha256Of(join(host.directory, 'two')));
  });
});
