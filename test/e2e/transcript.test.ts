import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createE2eHost, virsh, type E2eHost } from '../support/e2e-host.js';

const imageId = '1e6292f9-82bd-4cdb-969e-c863cb1c6692';
const baseName = '06a057b9c7b0b27e3b496f53d1e88810a0d1d5d3_20';

/** How Nova boots a disk image for the first time, step by step as in the document. */
describe('the transcript of the document', () => {
  let host: E2eHost;
  let image: string;
  let domain: string;
  let disk: string;
  let base: string;

  beforeAll(async () => {
    host = await createE2eHost();
    domain = `${host.prefix}-0000000c`;
    disk = join(host.home, 'instances', domain, 'disk');
    base = join(host.home, 'instances', '_base', baseName);
    // Eleven instances came and went before the document's.
    await mkdir(join(host.home, 'instances'), { recursive: true });
    await writeFile(join(host.home, 'instances', 'counter.json'), '{ "last": 11 }');
    image = join(host.home, 'f17-x86_64-openstack-sda.qcow2');
    await makeCompressedImage(join(host.home, 'f17.raw'), image);
  });
  afterAll(() => host.dispose());

  it('imports the qcow2 image from standard input, as glance image-create < file does', async () => {
    const content = await readFile(image);
    const result = await host.launch(
      ['image', 'import', '-', '--name', 'fedora-17', '--format', 'qcow2', '--id', imageId],
      { input: content },
    );
    expect(result.stderr).toContain('✔ inspected  qcow2, 2 GiB virtual');
    expect(result.stdout).toBe(`${imageId}  fedora-17\n`);
    const record = (await host.launchJson(['image', 'show', 'fedora-17'])) as Record<string, unknown>;
    expect(record).toMatchObject({
      id: imageId,
      format: 'qcow2',
      sizeBytes: content.length,
      virtualSizeBytes: 2 * 1024 ** 3,
      sha256: createHash('sha256').update(content).digest('hex'),
    });
  });

  it('lists it as glance image-list does', async () => {
    const size = `${(await readFile(image)).length}`;
    const { stdout } = await host.launch(['image', 'list']);
    const dashes = '-'.repeat(size.length + 2);
    expect(stdout).toBe(
      [
        `+--------------------------------------+-----------+-------------+------------------+${dashes}+--------+`,
        `| ID                                   | Name      | Disk Format | Container Format | ${'Size'.padEnd(size.length)} | Status |`,
        `+--------------------------------------+-----------+-------------+------------------+${dashes}+--------+`,
        `| ${imageId} | fedora-17 | qcow2       | bare             | ${size} | active |`,
        `+--------------------------------------+-----------+-------------+------------------+${dashes}+--------+`,
        '',
      ].join('\n'),
    );
  });

  it('boots it as m1.small', async () => {
    // The guest has no boot loader, but its start is all that the document needs; memory would only be taken.
    // Nova of those days told a guest who it is over the network, so the document's has one disk.
    const { exitCode, stdout, stderr } = await host.launch([
      ...['fedora-17', '--flavor', 'm1.small', '--name', 'fedora-t1'],
      ...['--virt-type', 'qemu', '--memory', '256', '--seed', 'none'],
    ]);
    expect(stderr).toMatch(/✔ base {7}_base\/06a057b9…_20, \d+ MiB on disk of 20 GiB, converted in [\d.]+ s/);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      new RegExp(
        `^${domain}  fedora-t1  [0-9a-f-]{36}\n  disk  ${disk}\n  base  ${base}\n  next  launch ssh ${domain}\n$`,
      ),
    );
  });

  it('is listed by launch as nova list, and by virsh list as running', async () => {
    const { stdout } = await host.launch(['list']);
    expect(stdout).toMatch(/^\| [0-9a-f-]{36} \| fedora-t1 \| ACTIVE \| default/m);
    expect(await virsh('list')).toMatch(new RegExp(`${domain} +running`));
  });

  it('has one block device, vda, whose source is the overlay', async () => {
    const { stdout } = await host.launch(['inspect', domain]);
    expect(stdout).toContain(
      `Target     Source\n------------------------------------------------\nvda        ${disk}\n`,
    );
    expect((await virsh('domblklist', domain)).trim().split(/\s+/)).toEqual(['vda', disk]);
    expect(await virsh('dumpxml', '--inactive', domain)).toMatch(/<driver name='qemu' type='qcow2'/);
  });

  it('has a qcow2 overlay of 20 GiB whose backing file is the base', async () => {
    expect(await qemuImgInfo(disk)).toMatchObject({
      format: 'qcow2',
      'virtual-size': 21474836480,
      'cluster-size': 65536,
      'backing-filename': base,
      'backing-filename-format': 'raw',
    });
  });

  it('has a raw, sparse, read-only base of 20 GiB', async () => {
    const found = await qemuImgInfo(base);
    expect(found).toMatchObject({ format: 'raw', 'virtual-size': 21474836480 });
    expect(found).not.toHaveProperty('backing-filename');
    expect(found['actual-size']).toBeLessThan(64 * 1024 ** 2);
    expect((await execa('stat', ['-c', '%a', base])).stdout.trim()).toBe('444');
  });

  it('shows the same by launch inspect', async () => {
    const inspection = (await host.launchJson(['inspect', domain])) as {
      disks: { chain: Record<string, unknown>[]; driverTypeMatches: boolean }[];
    };
    expect(inspection.disks).toHaveLength(1);
    expect(inspection.disks[0]?.driverTypeMatches).toBe(true);
    expect(inspection.disks[0]?.chain).toMatchObject([
      {
        path: disk,
        format: 'qcow2',
        virtualSizeBytes: 21474836480,
        clusterSizeBytes: 65536,
        backingPath: base,
      },
      { path: base, format: 'raw', virtualSizeBytes: 21474836480 },
    ]);
  });
});

async function qemuImgInfo(path: string): Promise<Record<string, unknown>> {
  return JSON.parse((await execa('qemu-img', ['info', '-U', '--output=json', path])).stdout) as Record<
    string,
    unknown
  >;
}

/** 2 GiB virtual with some content that compresses badly, as a distribution's image. */
async function makeCompressedImage(raw: string, image: string): Promise<void> {
  await execa('truncate', ['-s', '2G', raw]);
  await execa('dd', ['if=/dev/urandom', `of=${raw}`, 'bs=1M', 'count=24', 'seek=3', 'conv=notrunc']);
  await execa('qemu-img', ['convert', '-c', '-f', 'raw', '-O', 'qcow2', raw, image]);
}
