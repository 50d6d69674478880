import { appendFile, chmod, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createE2eHost, requireTinyImage, tinyImage, virsh, type E2eHost } from '../support/e2e-host.js';

interface Launched {
  readonly domainName: string;
  readonly uuid: string;
  readonly diskPath: string;
  readonly basePath: string;
}

describe('invariant 9: what was changed behind our back', () => {
  let host: E2eHost;

  beforeAll(async () => {
    await requireTinyImage();
    host = await createE2eHost();
    await host.launchJson(['image', 'import', tinyImage, '--name', 'tiny']);
  });
  afterAll(() => host.dispose());

  const launch = async () =>
    (await host.launchJson([
      ...['tiny', '--flavor', 'm1.tiny', '--memory', '96', '--virt-type', 'qemu', '--network', 'none'],
    ])) as Launched;
  const statusOf = async (domainName: string) =>
    ((await host.launchJson(['list'])) as { domainName: string; status: string; problems: string[] }[]).find(
      (view) => view.domainName === domainName,
    );

  it('a domain that was undefined is listed so, and started from its copy', async () => {
    const { domainName, uuid } = await launch();
    await virsh('destroy', domainName);
    await virsh('undefine', domainName);
    expect(await statusOf(domainName)).toMatchObject({
      status: 'ERROR',
      problems: ['libvirt has no such domain'],
    });
    expect((await host.launch(['list'])).stderr).toContain(`${domainName}: libvirt has no such domain`);
    expect((await host.launch(['start', domainName])).exitCode).toBe(0);
    expect((await virsh('domuuid', domainName)).trim()).toBe(uuid);
    await virsh('destroy', domainName);
    await virsh('undefine', domainName);
    expect((await host.launch(['delete', domainName])).stdout).toBe(`${domainName} deleted\n`);
  });

  it('a disk that vanished is listed so, and the instance deleted', async () => {
    const { domainName, diskPath } = await launch();
    await host.launch(['stop', domainName, '--force']);
    await rm(diskPath);
    expect(await statusOf(domainName)).toMatchObject({ status: 'ERROR', problems: ['its disk is missing'] });
    const start = await host.launch(['start', domainName]);
    expect(start.exitCode).toBe(1);
    expect(start.stderr).toContain('its disk');
    expect((await host.launch(['delete', domainName])).exitCode).toBe(0);
    expect(await host.domainNames()).toEqual([]);
  });

  it('a record that was damaged is listed so, and the instance deleted with its domain', async () => {
    const { domainName } = await launch();
    await writeFile(join(host.home, 'instances', domainName, 'instance.json'), '{ half');
    expect((await statusOf(domainName))?.status).toBe('ERROR');
    expect((await host.launch(['show', domainName])).exitCode).toBe(1);
    expect((await host.launch(['delete', domainName])).exitCode).toBe(0);
    expect(await host.domainNames()).toEqual([]);
  });

  it('invariant 6: a base that was changed is found, and nothing starts on it', async () => {
    const { domainName, basePath } = await launch();
    await host.launch(['stop', domainName, '--force']);
    await chmod(basePath, 0o644);
    const handle = await open(basePath, 'r+');
    await handle.write(Buffer.from([0xff]), 0, 1, 1024 * 1024);
    await handle.close();
    const start = await host.launch(['start', domainName]);
    expect(start.exitCode).toBe(1);
    expect(start.stderr).toContain('is not what it was when it was made');
    const second = await host.launch(['tiny', '--flavor', 'm1.tiny', '--virt-type', 'qemu']);
    expect(second.exitCode).toBe(1);
    expect(second.stderr).toContain('is not what it was when it was made');
    // As the error says: delete what is on it, remove the image, and all is made anew.
    await host.launch(['delete', domainName]);
    expect((await host.launch(['image', 'remove', 'tiny'])).exitCode).toBe(0);
    await host.launchJson(['image', 'import', tinyImage, '--name', 'tiny']);
    const { domainName: fresh } = await launch();
    await host.launch(['delete', fresh]);
  });

  it("invariant 6: another's domain on our base keeps it from being removed, and can be inspected", async () => {
    const { domainName, basePath } = await launch();
    await host.launch(['delete', domainName]);
    const foreign = `${host.prefix}-foreign`;
    const disk = join(host.home, 'foreign.qcow2');
    await execa('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', basePath, '-F', 'raw', disk]);
    const xml = join(host.home, 'foreign.xml');
    await writeFile(
      xml,
      `<domain type='qemu'><name>${foreign}</name><memory unit='MiB'>64</memory><os><type>hvm</type></os>
       <devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='${disk}'/>
       <target dev='vda' bus='virtio'/></disk></devices></domain>`,
    );
    await virsh('define', xml);
    const removal = await host.launch(['image', 'remove', 'tiny']);
    expect(removal.exitCode).toBe(1);
    expect(removal.stderr).toContain(`its base is used by ${foreign}`);
    const { stdout } = await host.launch(['inspect', foreign]);
    expect(stdout).toContain(`${foreign}  not made by launch  shut off`);
    expect(stdout).toContain(`vda        ${disk}\n`);
    expect(stdout).toContain(basePath);
    await virsh('undefine', foreign);
    expect((await host.launch(['image', 'remove', 'tiny'])).exitCode).toBe(0);
    await host.launchJson(['image', 'import', tinyImage, '--name', 'tiny']);
  });

  it('an imported file that was changed is found by verify', async () => {
    const { id } = (await host.launchJson(['image', 'show', 'tiny'])) as { id: string };
    expect((await host.launch(['image', 'verify', 'tiny'])).exitCode).toBe(0);
    const file = join(host.home, 'images', id, 'image.qcow2');
    await chmod(file, 0o644);
    await appendFile(file, 'x');
    const { exitCode, stderr } = await host.launch(['image', 'verify', 'tiny']);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('is not what was imported');
  });
});
