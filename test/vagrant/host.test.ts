import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createVagrantProject, hostBox, type VagrantProject } from '../support/vagrant-project.js';

const hours = 3_600_000;

/**
 * vagrant/ itself, with the box that vagrant/build-box builds. On a host without KVM its machine is emulated,
 * with the SVM that QEMU's TCG can do, so that a guest of type kvm still boots for real in it: slowly.
 */
describe('a host to test launch in', () => {
  let project: VagrantProject;
  const inside = (command: string) =>
    project.vagrant(['ssh', 'debian-12', '-c', command], { timeoutMs: 1.5 * hours });

  beforeAll(async () => {
    project = await createVagrantProject({
      vagrantDirectory: fileURLToPath(new URL('../../vagrant', import.meta.url)),
      environment: {
        LAUNCH_VAGRANT_BOX: 'launch-host',
        LAUNCH_VAGRANT_DRIVER: process.env['LAUNCH_VAGRANT_DRIVER'] ?? 'qemu',
        LAUNCH_VAGRANT_MEMORY_MIB: '2048',
        LAUNCH_VAGRANT_BOOT_TIMEOUT: '3600',
        LAUNCH_VAGRANT_NETWORK: '192.168.125.0/24',
      },
    });
  });
  afterAll(async () => {
    await project.dispose();
    expect(await project.remains()).toEqual([]);
  }, hours / 2);

  it(
    'comes up, with the project in it, set up by scripts/setup',
    async () => {
      await project.vagrant(['box', 'add', '--name', 'launch-host', hostBox]);
      await project.vagrant(['up', 'debian-12', '--provider', 'libvirt'], { timeoutMs: 1.5 * hours });
      expect(await inside('sudo /vagrant/.cache/bin/launch --version')).toMatch(/\d+\.\d+\.\d+/);
    },
    2 * hours,
  );

  it(
    'has a processor that can virtualize, and /dev/kvm',
    async () => {
      expect(await inside('grep -cwE "vmx|svm" /proc/cpuinfo; sudo stat -c %F /dev/kvm')).toMatch(
        /^[1-9]\d*\r?\ncharacter special file/,
      );
    },
    2 * hours,
  );

  it(
    'boots a guest of type kvm to its end',
    async () => {
      const launch = 'sudo /vagrant/.cache/bin/launch';
      const image = '/vagrant/.cache/guest-image/tiny.qcow2';
      await inside(`${launch} image import ${image} --name tiny`);
      await inside(
        `${launch} tiny --name nested --flavor m1.tiny --memory 192 --wait 'console=tiny ready' --timeout 60m`,
      );
      const shown: unknown = JSON.parse(await inside(`${launch} show nested --format json`));
      expect(shown).toMatchObject({ virtType: 'kvm' });
      expect(await inside(`${launch} log nested`)).toMatch(/^nested login:/m);
      await inside(`${launch} delete nested`);
    },
    2 * hours,
  );
});
