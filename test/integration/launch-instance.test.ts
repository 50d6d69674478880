import { access, appendFile, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { listBases } from '../../src/disk/base-record.js';
import { parseDomain } from '../../src/domain/parse-domain.js';
import { LaunchError } from '../../src/host/launch-error.js';
import type { WorkEvent } from '../../src/host/work.js';
import { addFlavor } from '../../src/instance/flavor-verbs.js';
import { inspectDomain } from '../../src/instance/inspect-domain.js';
import { launchInstance, previewLaunch } from '../../src/instance/launch-instance.js';
import { listInstances } from '../../src/instance/list-instances.js';
import type { LaunchRequest } from '../../src/instance/plan-launch.js';
import { chooseVirtType, readKvmFacts } from '../../src/instance/virt-type.js';
import {
  expectRefusal,
  gib,
  importTiny,
  listLitter,
  listTree,
  mib,
  openIntegrationHost,
  qemuImgInfo,
  snapshotTree,
  type IntegrationHost,
} from '../support/integration-host.js';

const request: LaunchRequest = { image: 'tiny', flavor: 'm1.tiny', virtType: 'qemu' };

async function allocatedBytes(path: string): Promise<number> {
  return (await stat(path)).blocks * 512;
}

async function definedXml(host: IntegrationHost, uuid: string) {
  return parseDomain(await host.hypervisor.readDomainXml(uuid, { inactive: true }));
}

describe("the user's document, name by name and size by size", () => {
  it('instance-0000000c of fedora-17 as m1.small', async () => {
    const host = await openIntegrationHost({ instanceNameTemplate: 'instance-%08x' });
    const image = await importTiny(host, { id: '1e6292f9-82bd-4cdb-969e-c863cb1c6692', name: 'fedora-17' });
    await mkdir(host.home.instances);
    await writeFile(host.home.counterFile, '{"last":11}');
    const launched = await launchInstance(host, {
      image: 'fedora-17',
      flavor: 'm1.small',
      name: 'fedora-t1',
      virtType: 'qemu',
      // Nova of those days told a guest who it is over the network: the document's has one disk.
      seed: { kind: 'none' },
    });
    const directory = join(host.home.instances, 'instance-0000000c');
    const base = join(host.home.bases, '06a057b9c7b0b27e3b496f53d1e88810a0d1d5d3_20');
    expect(launched).toMatchObject({
      diskPath: join(directory, 'disk'),
      basePath: base,
      baseOrigin: 'converted',
      instance: { number: 12, domainName: 'instance-0000000c', displayName: 'fedora-t1', maker: null },
    });
    expect(await listTree(host.home.root)).toEqual([
      'images/',
      `images/${image.id}/`,
      `images/${image.id}/image.json`,
      `images/${image.id}/image.qcow2`,
      'instances/',
      'instances/_base/',
      'instances/_base/06a057b9c7b0b27e3b496f53d1e88810a0d1d5d3_20',
      'instances/_base/06a057b9c7b0b27e3b496f53d1e88810a0d1d5d3_20.json',
      'instances/counter.json',
      'instances/instance-0000000c/',
      'instances/instance-0000000c/disk',
      'instances/instance-0000000c/domain.xml',
      'instances/instance-0000000c/instance.json',
      'locks/',
      `locks/image-${image.id}.lock`,
    ]);
    expect(await qemuImgInfo(launched.diskPath, 'qcow2')).toMatchObject({
      format: 'qcow2',
      'virtual-size': 21474836480,
      'cluster-size': 65536,
      'backing-filename': base,
      'backing-filename-format': 'raw',
    });
    expect(await qemuImgInfo(base, 'raw')).toMatchObject({ format: 'raw', 'virtual-size': 21474836480 });
    expect(await allocatedBytes(base)).toBeLessThan(4 * mib);
    const domain = await definedXml(host, launched.instance.uuid);
    expect(domain).toMatchObject({
      name: 'instance-0000000c',
      title: 'fedora-t1',
      virtType: 'qemu',
      machineType: 'pc-i440fx-7.2',
      memoryMib: 2048,
      vcpus: 1,
      serialLogPath: join(directory, 'console.log'),
      metadata: {
        displayName: 'fedora-t1',
        flavorName: 'm1.small',
        imageId: image.id,
        imageName: 'fedora-17',
      },
      interfaces: [{ network: 'default', macAddress: launched.instance.interfaces[0]?.macAddress }],
    });
    expect(
      domain.disks.map(({ sourcePath, driverType, target }) => ({ sourcePath, driverType, target })),
    ).toEqual([{ sourcePath: join(directory, 'disk'), driverType: 'qcow2', target: 'vda' }]);
    expect(await host.hypervisor.findDomain(launched.instance.uuid)).toMatchObject({ state: 'running' });
  });

  it('what the guest sees is what was imported', async () => {
    const host = await openIntegrationHost();
    const image = await importTiny(host);
    const { diskPath } = await launchInstance(host, request);
    const { stdout, exitCode } = await execa(
      'qemu-img',
      ['compare', '-f', 'qcow2', '-F', 'qcow2', host.home.image(image.id).file('qcow2'), diskPath],
      { reject: false },
    );
    expect({ stdout, exitCode }).toMatchObject({ exitCode: 0 });
    expect(stdout).toContain('Images are identical');
  });

  it('the record and the copy of the XML are what libvirt has', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const { instance } = await launchInstance(host, request);
    const paths = host.home.instance(instance.domainName);
    expect(JSON.parse(await readFile(paths.record, 'utf8'))).toEqual(instance);
    expect(instance).toMatchObject({ machineType: 'pc-i440fx-7.2', cpuMode: 'maximum', virtType: 'qemu' });
    expect(await readFile(paths.domainXml, 'utf8')).toBe(
      await host.hypervisor.readDomainXml(instance.uuid, { inactive: true }),
    );
    expect(await listInstances(host)).toMatchObject([
      { domainName: 'itg-00000001', status: 'ACTIVE', domainState: 'running', problems: [] },
    ]);
  });
});

describe('invariant 4: the driver type is the format that was created, and nothing is probed', () => {
  it('--no-cow is a raw copy of its own', async () => {
    const host = await openIntegrationHost();
    const image = await importTiny(host);
    const { instance, diskPath, basePath } = await launchInstance(host, { ...request, cow: false });
    expect(instance.disk).toEqual({ format: 'raw', virtualSizeBytes: gib, base: null, preallocation: null });
    const { disks } = await definedXml(host, instance.uuid);
    expect(disks).toMatchObject([{ driverType: 'raw', sourcePath: diskPath }, { target: 'vdb' }]);
    const info = await qemuImgInfo(diskPath, 'raw');
    expect(info).toMatchObject({ format: 'raw', 'virtual-size': gib });
    expect(info).not.toHaveProperty('backing-filename');
    expect(await allocatedBytes(diskPath)).toBeLessThan(4 * mib);
    expect((await stat(diskPath)).mode & 0o777).toBe(0o600);
    expect((await stat(basePath)).mode & 0o777).toBe(0o444);
    const source = host.home.image(image.id).file('qcow2');
    const compared = await execa('qemu-img', ['compare', '-f', 'qcow2', '-F', 'raw', source, diskPath]);
    expect(compared.stdout).toContain('Images are identical');
  });

  it('a guest that writes a qcow2 header into its raw disk makes nobody open what it names', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const { instance, diskPath } = await launchInstance(host, { ...request, cow: false });
    // The guest writes a qcow2 header into its raw disk, that names a file of the host.
    const evil = join(host.directory, 'evil');
    await execa('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', '/etc/passwd', evil, '1G']);
    await execa('dd', [`if=${evil}`, `of=${diskPath}`, 'conv=notrunc', 'status=none']);
    const { disks } = await inspectDomain(host, instance.domainName);
    expect(disks).toMatchObject([{ driverType: 'raw', driverTypeMatches: false }, { target: 'vdb' }]);
    expect(disks[0]?.chain.map(({ path, format }) => [path, format])).toEqual([[diskPath, 'raw']]);
  });

  it('qemu-img always gets the format', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    await launchInstance(host, request);
    await launchInstance(host, { ...request, cow: false });
    const calls = host.runner.calls.filter(({ file }) => file === 'qemu-img');
    expect(calls.length).toBeGreaterThan(5);
    for (const { args } of calls) {
      expect(args).toContain('-f');
      if (args[0] === 'convert') expect(args).toContain('-O');
      if (args[0] === 'create') expect(args.join(' ')).toMatch(/backing_fmt=raw/);
    }
  });
});

describe('preallocation', () => {
  it.each(['metadata', 'falloc', 'full'] as const)('%s of an overlay', async (preallocation) => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const { diskPath, basePath, instance } = await launchInstance(host, { ...request, preallocation });
    const info = await qemuImgInfo(diskPath, 'qcow2');
    expect(info).toMatchObject({ 'virtual-size': gib, 'backing-filename': basePath });
    expect(instance.disk).toMatchObject({ format: 'qcow2', preallocation });
    const allocated = await allocatedBytes(diskPath);
    if (preallocation === 'metadata') {
      expect((await stat(diskPath)).size).toBeGreaterThanOrEqual(gib);
      expect(allocated).toBeLessThan(64 * mib);
    } else expect(allocated).toBeGreaterThanOrEqual(gib);
    // What was preallocated does not hide the base.
    const compared = await execa('qemu-img', ['compare', '-f', 'qcow2', '-F', 'raw', diskPath, basePath]);
    expect(compared.stdout).toContain('Images are identical');
  });

  it('falloc of a raw copy', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const { diskPath, basePath } = await launchInstance(host, {
      ...request,
      cow: false,
      preallocation: 'falloc',
    });
    expect(await allocatedBytes(diskPath)).toBeGreaterThanOrEqual(gib);
    const compared = await execa('qemu-img', ['compare', '-f', 'raw', '-F', 'raw', diskPath, basePath]);
    expect(compared.stdout).toContain('Images are identical');
  });

  it.each(['metadata', 'full'] as const)('%s of a raw copy is refused', async (preallocation) => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const before = await snapshotTree(host.home.root);
    await expectRefusal(launchInstance(host, { ...request, cow: false, preallocation }), 'ARGUMENT_INVALID');
    expect(await snapshotTree(host.home.root)).toEqual(before);
  });

  it('invariant 10: more than is free is refused, with the number, and leaves nothing', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const litter = await listTree(host.home.root);
    for (const cow of [true, false]) {
      const error = await expectRefusal(
        launchInstance(host, { ...request, diskGib: 8000, preallocation: 'falloc', cow }),
        'DISK_FULL',
      );
      expect(error.message).toContain('7.9 TiB');
      // The disk, and what the base takes that is to be made.
      expect(error.details?.['neededBytes']).toBeGreaterThanOrEqual(8000 * gib);
      expect(error.details?.['neededBytes']).toBeLessThan(8001 * gib);
    }
    expect(await listLitter(host, litter)).toEqual([]);
    expect(await host.hypervisor.listDomains()).toEqual([]);
  });
});

describe('sizes', () => {
  it("disk 0 is the image's own size, and so is the base's name", async () => {
    const host = await openIntegrationHost();
    await importTiny(host, { id: '1e6292f9-82bd-4cdb-969e-c863cb1c6692', virtualSizeBytes: 5 * mib + 512 });
    const { diskPath, basePath } = await launchInstance(host, { ...request, diskGib: 0 });
    expect(basePath).toBe(join(host.home.bases, '06a057b9c7b0b27e3b496f53d1e88810a0d1d5d3'));
    expect((await stat(basePath)).size).toBe(5 * mib + 512);
    expect(await qemuImgInfo(diskPath, 'qcow2')).toMatchObject({ 'virtual-size': 5 * mib + 512 });
  });

  it('memory, vCPUs and disk may be said one by one, over a flavor of our own', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    await addFlavor(host, { name: 'own', memoryMib: 96, vcpus: 1, diskGib: 2 });
    const { instance } = await launchInstance(host, { ...request, flavor: 'own', vcpus: 3 });
    expect(instance.flavor).toEqual({ name: 'own', memoryMib: 96, vcpus: 3, diskGib: 2 });
    expect(await definedXml(host, instance.uuid)).toMatchObject({ memoryMib: 96, vcpus: 3 });
  });

  it('where the file system cannot clone, a second size shares the base, and the overlay has its own', async ({
    skip,
  }) => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const small = await launchInstance(host, request);
    const clone = await execa('cp', ['--reflink=always', small.basePath, join(host.directory, 'clone')], {
      reject: false,
    });
    if (clone.exitCode === 0) skip(`the file system of ${host.directory} can clone`);
    const converted = host.runner.countOf('convert');
    const large = await launchInstance(host, { ...request, flavor: 'm1.small' });
    const own = await launchInstance(host, { ...request, diskGib: 0 });
    expect(large).toMatchObject({ baseOrigin: 'shared', basePath: small.basePath });
    expect(own).toMatchObject({ baseOrigin: 'shared', basePath: small.basePath });
    expect(host.runner.countOf('convert')).toBe(converted);
    expect(await qemuImgInfo(large.diskPath, 'qcow2')).toMatchObject({
      'virtual-size': 20 * gib,
      'backing-filename': small.basePath,
    });
    expect(await qemuImgInfo(own.diskPath, 'qcow2')).toMatchObject({ 'virtual-size': 32 * mib });
    expect((await stat(small.basePath)).size).toBe(gib);
    expect(large.instance.disk.base).toBe(small.instance.disk.base);
    const copy = await launchInstance(host, { ...request, diskGib: 3, cow: false });
    expect((await stat(copy.diskPath)).size).toBe(3 * gib);
  });

  it('on XFS a second size is a clone that shares its blocks, and costs no conversion', async ({ skip }) => {
    const host = await openIntegrationHost();
    const device = join(host.directory, 'xfs.img');
    const mountPoint = join(host.directory, 'xfs');
    await mkdir(mountPoint);
    await execa('truncate', ['--size', '512M', device]);
    const made = await execa('mkfs.xfs', ['-q', '-m', 'reflink=1', device], { reject: false });
    if (made.exitCode !== 0) skip(`needs mkfs.xfs (apt-get install xfsprogs): ${made.shortMessage ?? ''}`);
    const mounted = await execa('mount', ['-o', 'loop', device, mountPoint], { reject: false });
    if (mounted.exitCode !== 0) skip(`needs root and a loop device: ${mounted.stderr}`);
    try {
      const onXfs = await openIntegrationHost({ directory: mountPoint });
      await importTiny(onXfs, { dataBytes: 16 * mib });
      const small = await launchInstance(onXfs, request);
      const large = await launchInstance(onXfs, { ...request, flavor: 'm1.small' });
      expect(large.baseOrigin).toBe('reflinked');
      expect(onXfs.runner.countOf('convert')).toBe(1);
      const bases = await listBases(onXfs.home);
      expect(bases.map((base) => base.made).sort()).toEqual(['converted', 'reflinked']);
      expect(new Set(bases.map((base) => base.digest)).size).toBe(1);
      expect((await stat(small.basePath)).size).toBe(gib);
      expect((await stat(large.basePath)).size).toBe(20 * gib);
      expect((await stat(large.basePath)).mode & 0o777).toBe(0o444);
      const { stdout } = await execa('filefrag', ['-v', large.basePath]);
      expect(stdout).toContain('shared');
      expect(await qemuImgInfo(large.diskPath, 'qcow2')).toMatchObject({
        'backing-filename': large.basePath,
      });
      // A raw copy is a clone too.
      const copy = await launchInstance(onXfs, { ...request, cow: false });
      expect(onXfs.runner.countOf('convert')).toBe(1);
      expect((await execa('filefrag', ['-v', copy.diskPath])).stdout).toContain('shared');
      expect((await stat(copy.diskPath)).mode & 0o777).toBe(0o600);
      expect((await listTree(onXfs.home.root)).filter((path) => path.endsWith('.tmp'))).toEqual([]);
    } finally {
      await execa('umount', [mountPoint]);
    }
  });
});

describe('what cannot be launched is refused before anything is made', () => {
  const refusals: readonly [string, Partial<LaunchRequest>, Parameters<typeof expectRefusal>[1], RegExp][] = [
    ['an image that is not there', { image: 'none' }, 'IMAGE_NOT_FOUND', /there are: tiny/],
    ['a flavor that is not there', { flavor: 'm1.none' }, 'FLAVOR_NOT_FOUND', /m1\.tiny, m1\.small/],
    ['a template that is not there', { template: 'none' }, 'TEMPLATE_NOT_FOUND', /listed/],
    ['a template that is a path', { template: '../templates/linux' }, 'TEMPLATE_NOT_FOUND', /slash/],
    ['a name that cannot be', { name: 'a\nb' }, 'NAME_INVALID', /printable/],
    ['no memory', { memoryMib: 0 }, 'FLAVOR_INVALID', /^$/],
    ['half a vCPU', { vcpus: 0.5 }, 'FLAVOR_INVALID', /^$/],
  ];

  it.each(refusals)('%s', async (_, change, code, hint) => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const before = await snapshotTree(host.home.root);
    const error = await expectRefusal(launchInstance(host, { ...request, ...change }), code);
    expect(error.hint ?? '').toMatch(hint);
    expect(await snapshotTree(host.home.root)).toEqual(before);
    // libvirt may be asked, but not told anything.
    const told = host.hypervisor.calls.filter(({ method }) => !/^(list|read|find)/.test(method));
    expect(told).toEqual([]);
  });

  it('a flavor that is too small, in disk or memory', async () => {
    const host = await openIntegrationHost();
    await importTiny(host, { virtualSizeBytes: 2 * gib });
    await importTiny(host, { name: 'wide', minRamMib: 1024 });
    await importTiny(host, { name: 'deep', minDiskGib: 10 });
    const before = await snapshotTree(host.home.root);
    for (const image of ['tiny', 'wide', 'deep']) {
      const error = await expectRefusal(launchInstance(host, { ...request, image }), 'FLAVOR_TOO_SMALL');
      expect(error.message).toContain(image);
      expect(error.hint).toContain('launch flavor list');
    }
    expect(await snapshotTree(host.home.root)).toEqual(before);
  });

  it('a network that is not there', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const before = await listTree(host.home.root);
    const error = await expectRefusal(
      launchInstance(host, { ...request, networks: [{ kind: 'network', network: 'none' }] }),
      'NETWORK_NOT_FOUND',
    );
    expect(error.hint).toContain('there are: default');
    expect(await listLitter(host, before)).toEqual([]);
    expect(await host.hypervisor.listDomains()).toEqual([]);
    expect(host.runner.countOf('convert')).toBe(0);
  });

  it('kvm where there is none; where there is, a plainer CPU model when the first does not start', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const launching = (onEvent?: (event: WorkEvent) => void) =>
      launchInstance(host, { ...request, virtType: 'kvm' }, { onEvent });
    if (!(await readKvmFacts()).device) {
      await expectRefusal(launching(), 'KVM_UNAVAILABLE');
      return;
    }
    host.hypervisor.failAt('startDomain', {
      error: new LaunchError('HYPERVISOR_FAILED', 'failed to set MSR 0x48e to 0x401e17204006172'),
    });
    const notices: string[] = [];
    const { instance } = await launching((event) => {
      if (event.type === 'notice') notices.push(event.message);
    });
    expect(instance).toMatchObject({ virtType: 'kvm', cpuMode: 'host-model' });
    expect(notices).toContainEqual(expect.stringContaining('host-passthrough'));
    expect(await host.hypervisor.listDomains()).toMatchObject([{ uuid: instance.uuid, state: 'running' }]);
  });

  it('auto takes what the host has, and says so when that is emulation', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const notices: string[] = [];
    const onEvent = (event: WorkEvent) => {
      if (event.type === 'notice') notices.push(event.message);
    };
    const { instance } = await launchInstance(host, { image: 'tiny', flavor: 'm1.tiny' }, { onEvent });
    const chosen = chooseVirtType('auto', await readKvmFacts());
    expect(instance.virtType).toBe(chosen.virtType);
    expect(notices).toHaveLength(chosen.reason === undefined ? 0 : 1);
  });
});

describe('networks', () => {
  it('a network that is off is started; none is none', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    host.hypervisor.addNetwork('net1', { active: false });
    const { instance } = await launchInstance(host, {
      ...request,
      networks: [{ kind: 'network', network: 'net1' }],
    });
    expect(await host.hypervisor.listNetworks()).toContainEqual({ name: 'net1', active: true });
    expect(instance.interfaces[0]?.macAddress).toMatch(/^52:54:00(:[0-9a-f]{2}){3}$/);
    host.hypervisor.addLease('net1', {
      macAddress: instance.interfaces[0]?.macAddress ?? '',
      address: '10.0.0.7',
      hostname: undefined,
    });
    expect((await listInstances(host))[0]?.addresses).toMatchObject([
      { network: 'net1', address: '10.0.0.7' },
    ]);
    const alone = await launchInstance(host, { ...request, networks: [] });
    expect(alone.instance.interfaces).toEqual([]);
    expect((await definedXml(host, alone.instance.uuid)).interfaces).toEqual([]);
  });

  it('one that another launch starts at the same moment is fine', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    host.hypervisor.addNetwork('net1', { active: false });
    host.hypervisor.failAt('startNetwork', { when: 'after' });
    await launchInstance(host, { ...request, networks: [{ kind: 'network', network: 'net1' }] });
    expect(await host.hypervisor.listDomains()).toHaveLength(1);
  });
});

describe('invariant 7: names go through the document tree only', () => {
  it.each(['<name>&amp;"\'', '../../etc/passwd', ']]>', '${uuid}', 'Ünïcödé 画像', '-- `rm`'.slice(3)])(
    'an image and an instance called %s',
    async (name) => {
      const host = await openIntegrationHost();
      await importTiny(host, { name });
      const { instance } = await launchInstance(host, { ...request, image: name, name });
      expect(await definedXml(host, instance.uuid)).toMatchObject({
        name: 'itg-00000001',
        title: name,
        metadata: { displayName: name, imageName: name },
      });
      expect(await listTree(host.home.instances)).not.toContain(name);
    },
  );

  it('a home whose path has spaces, commas, colons and angle brackets', async () => {
    const directory = join((await openIntegrationHost()).directory, 'a b,c:d=<e>&"f"');
    await mkdir(directory);
    const host = await openIntegrationHost({ directory });
    await importTiny(host);
    const { diskPath, basePath, instance } = await launchInstance(host, request);
    expect((await definedXml(host, instance.uuid)).disks[0]?.sourcePath).toBe(diskPath);
    expect(await qemuImgInfo(diskPath, 'qcow2')).toMatchObject({ 'backing-filename': basePath });
    await launchInstance(host, { ...request, cow: false });
  });
});

describe('numbers', () => {
  it('launches at once get numbers of their own, and share one conversion', async () => {
    const host = await openIntegrationHost();
    await importTiny(host, { dataBytes: 8 * mib });
    const launched = await Promise.all(Array.from({ length: 6 }, () => launchInstance(host, request)));
    expect(launched.map(({ instance }) => instance.number).sort()).toEqual([1, 2, 3, 4, 5, 6]);
    expect(new Set(launched.map(({ instance }) => instance.interfaces[0]?.macAddress)).size).toBe(6);
    expect(launched.filter(({ baseOrigin }) => baseOrigin === 'converted')).toHaveLength(1);
    expect(host.runner.countOf('convert')).toBe(1);
    expect((await listInstances(host)).map(({ status }) => status)).toEqual(
      Array.from({ length: 6 }, () => 'ACTIVE'),
    );
  });

  it('a name that libvirt has already, from another home, is passed over', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    await host.hypervisor.defineDomain(
      '<domain type="qemu"><name>itg-00000001</name><os><type>hvm</type></os></domain>',
    );
    expect((await launchInstance(host, request)).instance.domainName).toBe('itg-00000002');
  });
});

describe('--wait console', () => {
  it('gives the line', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    host.hypervisor.onStart = async (xml) => {
      await appendFile(parseDomain(xml).serialLogPath ?? '', 'SeaBIOS\r\ntiny login: ');
    };
    const launched = await launchInstance(host, {
      ...request,
      wait: { kind: 'console', pattern: /login:/ },
      timeoutMs: 5000,
    });
    expect(launched.consoleLine).toContain('tiny login:');
  });

  it('too long is WAIT_TIMEOUT, and the instance stays', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const wait = { kind: 'console', pattern: /login:/ } as const;
    const error = await expectRefusal(
      launchInstance(host, { ...request, wait, timeoutMs: 50 }),
      'WAIT_TIMEOUT',
    );
    expect(error.details).toMatchObject({ domainName: 'itg-00000001' });
    expect(await listInstances(host)).toMatchObject([{ status: 'ACTIVE', record: { maker: null } }]);
  });

  it('interrupted is a launch that is undone', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const before = await listTree(host.home.root);
    const controller = new AbortController();
    const launching = launchInstance(
      host,
      { ...request, wait: { kind: 'console', pattern: /login:/ } },
      {
        signal: controller.signal,
        onEvent: (event) => {
          if (event.type === 'step-started' && event.step === 'console') controller.abort();
        },
      },
    );
    await expectRefusal(launching, 'INTERRUPTED');
    expect(await listLitter(host, before)).toEqual([]);
    expect(await host.hypervisor.listDomains()).toEqual([]);
  });
});

describe('a dry run', () => {
  it('touches nothing, and says what a launch then makes', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const before = await snapshotTree(host.home.root);
    const preview = await previewLaunch(host, request);
    expect(await snapshotTree(host.home.root)).toEqual(before);
    expect(host.hypervisor.calls.map(({ method }) => method)).toEqual(['listDomains']);
    expect(preview.baseExists).toBe(false);
    const launched = await launchInstance(host, request);
    expect(preview).toMatchObject({ diskPath: launched.diskPath, basePath: launched.basePath });
    expect(preview.plan).toMatchObject({ domainName: 'itg-00000001', disk: { kind: 'overlay' } });
    const { disks, memoryMib } = parseDomain(preview.domainXml);
    expect({ disks: disks.map(({ sourcePath, driverType }) => [sourcePath, driverType]), memoryMib }).toEqual(
      {
        disks: [
          [launched.diskPath, 'qcow2'],
          [`${launched.diskPath}.seed`, 'raw'],
        ],
        memoryMib: 512,
      },
    );
    const after = await snapshotTree(host.home.root);
    expect(await previewLaunch(host, request)).toMatchObject({
      baseExists: true,
      plan: { domainName: 'itg-00000002' },
    });
    expect(await snapshotTree(host.home.root)).toEqual(after);
  });

  it('makes no home where there is none', async () => {
    const host = await openIntegrationHost();
    await expectRefusal(previewLaunch(host, request), 'IMAGE_NOT_FOUND');
    await expect(access(host.home.root)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
