import { rename, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemCommandRunner, type CommandRunner } from '../../../src/host/command.js';
import { examineHost } from '../../../src/instance/doctor/examine-host.js';
import { openHost } from '../../../src/instance/open-host.js';
import { idOf, lookAt, openHostWithGuest, runQemuAs, writeIn } from '../../support/examined-host.js';
import { makeTemporaryDirectory, openIntegrationHost } from '../../support/integration-host.js';
import { mountFileSystem } from '../../support/mounted-file-system.js';

async function listen(path: string): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(() => {
    server.close();
  });
  return server;
}

describe('libvirt', () => {
  it('that takes the call and never answers is found out, and every other check ends too', async () => {
    const directory = await makeTemporaryDirectory();
    const socket = join(directory, 'hangs');
    await listen(socket);
    const host = openHost({
      home: join(directory, 'home'),
      connect: `qemu+unix:///system?socket=${socket}`,
    });
    const { canLaunch, checks } = await examineHost(host, { places: { libvirtRun: directory } });
    expect(canLaunch).toBe(false);
    const statuses = Object.fromEntries(checks.map(({ id, status }) => [id, status]));
    expect(statuses).toMatchObject({ libvirt: 'failed', network: 'unknown', access: 'unknown', space: 'ok' });
    expect(checks[0]?.problems[0]?.found).toMatch(/does not answer$/);
    await host.hypervisor.close();
  });

  it('that is not there is told to who asks for something else, too', async () => {
    const directory = await makeTemporaryDirectory();
    const host = openHost({
      home: join(directory, 'home'),
      connect: `qemu+unix:///system?socket=${join(directory, 'missing')}`,
    });
    const { canLaunch, checks } = await examineHost(host, { checks: ['dhcp'] });
    expect(canLaunch).toBe(false);
    expect(checks.map(({ id, status }) => [id, status])).toEqual([
      ['libvirt', 'failed'],
      ['dhcp', 'unknown'],
    ]);
  });

  it.each([
    ['libvirt-sock', 'monolithic libvirtd'],
    ['virtqemud-sock', 'modular daemons (virtqemud)'],
  ])('%s answers: %s; and virtlogd is missed when it is dead', async (name, daemon) => {
    const host = await openIntegrationHost();
    const places = { libvirtRun: host.directory };
    await listen(join(host.directory, name));
    await listen(join(host.directory, 'virtlogd-sock'));
    expect(await lookAt(host, 'libvirt', { places })).toMatchObject({
      status: 'ok',
      found: `libvirt 9.0.0, ${daemon}, QEMU 7.2.22`,
    });
    // A socket that nobody listens on, as a killed daemon leaves it.
    const killed = await listen(join(host.directory, 'killed'));
    await rename(join(host.directory, 'killed'), join(host.directory, 'virtlogd-sock'));
    await new Promise((resolve) => killed.close(resolve));
    expect((await lookAt(host, 'libvirt', { places })).problems).toMatchObject([
      { level: 'failed', found: 'virtlogd does not run', cure: { automatic: true } },
    ]);
  });

  it('is started by --fix where none of it runs', async () => {
    const directory = await makeTemporaryDirectory();
    const started: string[] = [];
    // Nobody is to start a second libvirtd here: what would be run is noted.
    const runner: CommandRunner = {
      run: async (file, args, options) => {
        if (['libvirtd', 'virtlogd', 'systemctl'].includes(file)) {
          started.push([file, ...args].join(' '));
          return { exitCode: 0, stdout: '', stderr: '' };
        }
        const isDown = file === 'virsh' && started.length === 0;
        const stderr =
          "error: failed to connect to the hypervisor\nerror: Failed to connect socket to 'x': No such file or directory\n";
        return isDown
          ? { exitCode: 1, stdout: '', stderr }
          : await systemCommandRunner.run(file, args, options);
      },
    };
    const host = openHost({ home: join(directory, 'home'), runner });
    const { checks, fixes } = await examineHost(host, { checks: ['libvirt'], fix: true });
    expect(started.join('\n')).toMatch(/libvirtd -d|systemctl start/);
    expect(fixes).toHaveLength(1);
    // It was asked again afterwards.
    expect(checks[0]?.found).toMatch(/^libvirt \d/);
  });
});

describe('qemu', () => {
  it('is asked what it can do, and has the machines of all instances', async () => {
    const host = await openHostWithGuest();
    const look = await lookAt(host, 'qemu');
    expect(look).toMatchObject({ status: 'ok', facts: { extended_l2: true } });
    expect(typeof look.facts['io_uring']).toBe('boolean');
    host.hypervisor.capabilitiesXml = host.hypervisor.capabilitiesXml.replaceAll(
      'pc-i440fx-7.2',
      'pc-i440fx-9.9',
    );
    expect(await lookAt(host, 'qemu')).toMatchObject({
      status: 'warning',
      problems: [
        { found: expect.stringContaining('pc-i440fx-7.2, which this QEMU does not have') as string },
      ],
    });
  });

  it('that is not installed fails', async () => {
    const host = await openIntegrationHost();
    host.hypervisor.capabilitiesXml = '<capabilities><host/></capabilities>';
    expect(await lookAt(host, 'qemu')).toMatchObject({ status: 'failed' });
  });
});

describe('kvm', () => {
  const makeDevice = async (directory: string, mode: string) => {
    const kvmDevice = join(directory, 'kvm');
    // The numbers of /dev/null: nobody gets at the host's own by it.
    await execa('mknod', ['-m', mode, kvmDevice, 'c', '1', '3']);
    await writeIn(directory, 'proc/cpuinfo', 'flags\t\t: fpu vmx\n');
    await writeIn(directory, 'sys/module/kvm_intel/parameters/nested', 'Y\n');
    return { kvmDevice, proc: join(directory, 'proc'), sys: join(directory, 'sys') };
  };

  it('that QEMU’s user may not open is given to the group kvm', async () => {
    const host = await openHostWithGuest();
    runQemuAs(host, await idOf('libvirt-qemu'));
    const places = await makeDevice(host.directory, '600');
    const look = await lookAt(host, 'kvm', { places });
    expect(look).toMatchObject({ status: 'warning', levels: ['warning'] });
    expect(look.problems[0]?.why).toContain('asks QEMU anew');
    expect(await lookAt(host, 'kvm', { places, fix: true })).toMatchObject({
      status: 'ok',
      found: `${places.kvmDevice}, vmx, nested guests yes`,
      done: [`${places.kvmDevice} belongs to the group kvm`],
    });
    expect((await stat(places.kvmDevice)).mode & 0o777).toBe(0o660);
  });

  it('that is missing, or has no processor behind it, is a warning: guests are emulated', async () => {
    const host = await openHostWithGuest();
    const places = await makeDevice(host.directory, '666');
    const gone = await lookAt(host, 'kvm', { places: { ...places, kvmDevice: '/nonexistent' } });
    expect(gone).toMatchObject({
      status: 'warning',
      problems: [{ cure: { command: 'modprobe kvm_intel' } }],
    });
    await writeIn(host.directory, 'proc/cpuinfo', 'flags\t\t: fpu hypervisor\n');
    expect(await lookAt(host, 'kvm', { places })).toMatchObject({
      status: 'warning',
      found: `${places.kvmDevice}, neither vmx nor svm, nested guests yes, this host is a guest itself`,
    });
  });
});

describe('space and storage', () => {
  it('a file system that is full cannot take a launch', async () => {
    const directory = await mountFileSystem('tmpfs', { sizeBytes: 8 * 1024 ** 2 });
    const host = await openIntegrationHost({ directory });
    expect(await lookAt(host, 'space')).toMatchObject({ status: 'failed', facts: { directory } });
  });

  it('nor one that has no room for another file', async () => {
    const makeOptions = ['-N', '32'];
    const directory = await mountFileSystem('ext4', { sizeBytes: 256 * 1024 ** 2, makeOptions });
    const host = await openIntegrationHost({ directory });
    const before = await lookAt(host, 'space');
    expect(before.problems[0]?.found).toMatch(/^only \d+ files can still be made/);
    for (let left = Number(before.facts['freeInodes']); left > 3; left -= 1) {
      await writeFile(join(directory, `file-${left}`), '');
    }
    expect(await lookAt(host, 'space')).toMatchObject({ status: 'failed', facts: { freeInodes: 3 } });
  });

  it('tells what may still grow', async () => {
    const host = await openHostWithGuest();
    const { facts } = await lookAt(host, 'space');
    expect(facts['promisedBytes']).toBeGreaterThan(0.9 * 1024 ** 3);
  });

  it.each([
    ['xfs', true],
    ['ext4', false],
  ] as const)('%s: files can share blocks: %s', async (kind, reflink) => {
    const host = await openIntegrationHost({ directory: await mountFileSystem(kind) });
    expect(await lookAt(host, 'storage')).toMatchObject({
      status: 'ok',
      facts: { fileSystem: kind, reflink, directIo: true },
    });
  });

  it('a home that cannot be made fails', async () => {
    const host = await openIntegrationHost();
    await writeFile(host.home.root, 'a file');
    expect(await lookAt(host, 'storage')).toMatchObject({ status: 'failed', found: 'cannot be written' });
  });
});

describe('clock and memory', () => {
  it('a clock before the last launch is wrong', async () => {
    const host = await openHostWithGuest();
    const at = (time: string) => lookAt({ ...host, now: () => new Date(time) }, 'clock');
    expect((await at('2025-01-01')).levels).toContain('warning');
    expect((await at('2099-01-01')).levels).not.toContain('warning');
  });

  it('memory for one more guest is missed', async () => {
    const host = await openHostWithGuest();
    const proc = join(host.directory, 'proc');
    await writeIn(proc, 'meminfo', 'MemTotal: 1048576 kB\nMemAvailable: 1048576 kB\n');
    expect(await lookAt(host, 'memory', { places: { proc } })).toMatchObject({
      status: 'ok',
      found: '1 GiB of 1 GiB available; 1 running domain of 512 MiB',
    });
    await writeIn(proc, 'meminfo', 'MemTotal: 262144 kB\nMemAvailable: 65536 kB\n');
    expect((await lookAt(host, 'memory', { places: { proc } })).levels).toEqual(['failed', 'warning']);
  });
});
