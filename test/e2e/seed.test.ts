import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createE2eHost, requireTinyImage, tinyImage, virsh, type E2eHost } from '../support/e2e-host.js';

interface Launched {
  readonly domainName: string;
  readonly uuid: string;
  readonly diskPath: string;
  readonly login: { readonly identityFile: string };
}

/** What a guest does with what it is told of itself; tiny takes of it the name, the keys and a script. */
describe('a seed in a guest', () => {
  let host: E2eHost;
  let directory: string;
  let guest: Launched;
  let address: string;

  const boot = async (...args: readonly string[]): Promise<Launched> =>
    (await host.launchJson([
      ...['tiny', '--flavor', 'm1.tiny', '--memory', '192', '--virt-type', 'qemu', ...args],
      ...['--wait', 'console=^tiny ready', '--timeout', '8m'],
    ])) as Launched;
  const consoleOf = async (name: string) => (await host.launch(['log', name])).stdout;
  const ssh = async (identityFile: string, command: string) =>
    await execa('ssh', [
      ...['-F', 'none', '-i', identityFile, '-o', 'IdentitiesOnly=yes', '-o', 'BatchMode=yes'],
      ...['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', `root@${address}`, command],
    ]);

  beforeAll(async () => {
    await requireTinyImage();
    host = await createE2eHost();
    directory = await mkdtemp(join(tmpdir(), 'launch-e2e-seed-'));
    await host.launchJson(['image', 'import', tinyImage, '--name', 'tiny']);
    const script = join(directory, 'user-data');
    await writeFile(script, '#!/bin/sh\necho "ran as $(id -un) on $(hostname)" >>/state/ran\n');
    guest = await boot('--name', 'Web 1 (Été)', '--user-data', script);
    address = /^tiny: hostname=\S+ ip=([0-9.]+)/m.exec(await consoleOf(guest.uuid))?.[1] ?? '';
  });
  afterAll(async () => {
    await host.dispose();
    await rm(directory, { recursive: true, force: true });
  });

  it('is on the second virtio disk, and is this instance’s', async () => {
    expect(await consoleOf(guest.uuid)).toMatch(new RegExp(`^tiny: seed vdb instance-id=${guest.uuid}`, 'm'));
    expect((await virsh('domblklist', guest.domainName)).trim().split(/\s+/)).toEqual([
      ...['vda', guest.diskPath, 'vdb', `${guest.diskPath}.seed`],
    ]);
  });

  it('gives the guest a host name made of the instance’s', async () => {
    expect((await ssh(guest.login.identityFile, 'hostname')).stdout).toBe('web-1-ete');
  });

  it('lets in whoever has the key that was made for the home, and nobody else', async () => {
    expect(guest.login.identityFile).toBe(join(host.home, 'keys', 'id_ed25519'));
    const other = join(directory, 'other');
    await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', other]);
    await expect(ssh(other, 'true')).rejects.toThrow('Permission denied');
  });

  it('has the guest run a script of the user’s, as root', async () => {
    expect((await ssh(guest.login.identityFile, 'cat /state/ran')).stdout).toBe('ran as root on web-1-ete');
  });

  it('cannot be written by the guest, and nobody but QEMU’s user reads it here', async () => {
    await expect(ssh(guest.login.identityFile, 'echo x >/dev/vdb')).rejects.toThrow();
    const { stdout } = await execa('stat', ['-c', '%a', `${guest.diskPath}.seed`]);
    expect(stdout).toBe('600');
  });

  it('is shown as the guest sees it', async () => {
    const { stdout } = await host.launch(['show', guest.uuid, '--seed']);
    expect(stdout).toContain(`instance-id: "${guest.uuid}"`);
    expect(stdout).toContain('local-hostname: "web-1-ete"');
    expect(stdout).toContain('── user-data\n#!/bin/sh\necho "ran as');
    const { stdout: metaData } = await ssh(guest.login.identityFile, 'cat /run/seed/meta-data');
    expect(stdout).toContain(metaData);
  });

  it('is seen on the CD-ROM of a system without virtio', async () => {
    const key = join(directory, 'mine');
    await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
    await chmod(key, 0o600);
    const legacy = await boot('--name', 'old', '--template', 'legacy', '--network', 'none', '--key', key);
    expect(legacy.login.identityFile).toBe(key);
    const console = await consoleOf('old');
    expect(console).toMatch(new RegExp(`^tiny: seed sr0 instance-id=${legacy.uuid}`, 'm'));
    expect(console).toMatch(/^tiny: hostname=old /m);
  });
});
