import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createE2eHost, type E2eHost } from '../support/e2e-host.js';
import {
  createVagrantProject,
  tinyForVagrant,
  tinyVagrantfile,
  type VagrantProject,
} from '../support/vagrant-project.js';

/** One box, made by launch, booted by Vagrant and by launch. */
describe('a box that launch exports', () => {
  let host: E2eHost;
  let project: VagrantProject;
  let box: string;

  beforeAll(async () => {
    host = await createE2eHost();
    project = await createVagrantProject({ vagrantfile: tinyVagrantfile });
    box = join(project.directory, 'tiny.box');
    const imported = [
      'image',
      'import',
      tinyForVagrant,
      '--name',
      'tiny',
      '--property',
      'os_admin_user=root',
    ];
    await host.launchJson(imported);
  });
  afterAll(async () => {
    await project.dispose();
    await host.dispose();
    expect(await project.remains()).toEqual([]);
  });

  it('is accepted by vagrant box add', async () => {
    const { exitCode, stderr } = await host.launch([
      'image',
      'export',
      'tiny',
      box,
      '--format',
      'box',
      '--compress',
    ]);
    expect(stderr).toMatch(/✔ packed/);
    expect(exitCode).toBe(0);
    await project.vagrant(['box', 'add', '--name', 'tiny', box]);
    expect(await project.vagrant(['box', 'list'])).toMatch(/^tiny\s+\(libvirt, 0\)/);
  });

  it('boots with vagrant up, and vagrant ssh is in it as the user that the image is known for', async () => {
    await project.vagrant(['up', '--provider', 'libvirt']);
    expect(await project.vagrant(['ssh', '-c', 'id -un; cat /etc/os-release'])).toMatch(
      /^root\r?\n[^]*tiny/i,
    );
    await project.vagrant(['destroy', '--force']);
  });

  it('boots with launch, and launch ssh is in it with Vagrant’s key', async () => {
    const imported = ['image', 'import', box, '--name', 'of-a-box', '--property', 'os_admin_user=root'];
    const image = await host.launchJson(imported);
    expect(image).toMatchObject({ properties: { os_admin_user: 'root', launch_login_key: 'vagrant' } });
    // No seed, as if the guest could not read one: the key in the box has to be enough.
    const launched = await host.launch([
      ...['of-a-box', '--name', 'boxed', '--flavor', 'm1.tiny', '--memory', '192', '--virt-type', 'qemu'],
      ...['--seed', 'none', '--wait', 'ssh', '--timeout', '5m'],
    ]);
    expect(launched.stderr).toMatch(/✔ ssh/);
    expect(launched.exitCode).toBe(0);
    const inside = await host.launch(['ssh', 'boxed', '--', 'id', '-un']);
    expect(inside).toMatchObject({ exitCode: 0, stdout: 'root\n' });
    await host.launchJson(['delete', 'boxed']);
  });

  it('holds what was imported', async () => {
    const raw = (name: string) => join(host.home, `${name}.raw`);
    for (const name of ['tiny', 'of-a-box']) {
      await host.launchJson(['image', 'export', name, raw(name), '--format', 'raw', '--format', 'json']);
    }
    const compared = await execa('qemu-img', [
      'compare',
      '-f',
      'raw',
      '-F',
      'raw',
      raw('tiny'),
      raw('of-a-box'),
    ]);
    expect(compared.stdout).toContain('identical');
  });
});
