import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { readFileUsers } from '../../src/instance/bases/base-users.js';
import { inspectImage } from '../../src/instance/images/image-verbs.js';
import { inspectDomain } from '../../src/instance/inspect-domain.js';
import { launchInstance } from '../../src/instance/launch-instance.js';
import type { LaunchRequest } from '../../src/instance/plan-launch.js';
import { diskXml, foreignDomainXml, makeOverlay } from '../support/foreign-domain.js';
import {
  expectRefusal,
  gib,
  importTiny,
  listTree,
  mib,
  openIntegrationHost,
  type IntegrationHost,
} from '../support/integration-host.js';

const request: LaunchRequest = { image: 'tiny', flavor: 'm1.tiny', virtType: 'qemu' };

async function openPrepared(): Promise<IntegrationHost> {
  const host = await openIntegrationHost();
  await importTiny(host);
  return host;
}

describe('inspecting a domain', () => {
  it('of ours: the chain to the base, its digest, and what of it is hidden', async () => {
    const host = await openPrepared();
    const { instance, diskPath, basePath } = await launchInstance(host, { ...request, name: 'web' });
    await launchInstance(host, request);
    // A mebibyte over what the base has at its start, and one where it has nothing.
    await execa('qemu-io', ['-f', 'qcow2', '-c', 'write -P 7 0 1M', '-c', 'write 512M 1M', diskPath]);
    const found = await inspectDomain(host, 'web');
    expect(found).toMatchObject({
      domain: { name: 'itg-00000001', state: 'running' },
      ...{ virtType: 'qemu', machineType: 'pc-i440fx-7.2', memoryMib: 512, vcpus: 1 },
      instance: { uuid: instance.uuid },
    });
    const [disk, seed] = found.disks;
    expect(found.disks).toHaveLength(2);
    expect(seed).toMatchObject({ target: 'vdb', driverType: 'raw', driverTypeMatches: true });
    expect(disk).toMatchObject({
      target: 'vda',
      source: diskPath,
      driverType: 'qcow2',
      driverTypeMatches: true,
    });
    expect(disk?.chain).toMatchObject([
      {
        path: diskPath,
        format: 'qcow2',
        detectedFormat: 'qcow2',
        virtualSizeBytes: gib,
        backingPath: basePath,
        backingFormat: 'raw',
        sharedWith: [],
      },
      {
        path: basePath,
        format: 'raw',
        virtualSizeBytes: gib,
        backingPath: undefined,
        sharedWith: ['itg-00000002'],
        base: { imageId: instance.image.id },
      },
    ]);
    expect(disk?.overlap?.writtenOverBytes).toBe(mib);
    expect(disk?.overlap?.baseDataBytes).toBeGreaterThanOrEqual(2 * mib);
    expect(disk?.overlap?.baseDataBytes).toBeLessThan(3 * mib);
  });

  it('of ours with a raw copy: a chain of one', async () => {
    const host = await openPrepared();
    const { diskPath } = await launchInstance(host, { ...request, cow: false });
    const { disks } = await inspectDomain(host, 'itg-00000001');
    expect(disks[0]?.chain.map(({ path, format }) => [path, format])).toEqual([[diskPath, 'raw']]);
    expect(disks[0]?.overlap).toBeUndefined();
  });

  it('of somebody else, by name or uuid: an empty drive, a network disk, a volume, a driver type that lies', async () => {
    const host = await openPrepared();
    const { basePath } = await launchInstance(host, request);
    const overlay = await makeOverlay(join(host.directory, 'volume.qcow2'), basePath);
    host.hypervisor.addVolume('pool', 'volume.qcow2', overlay);
    const domain = await host.hypervisor.defineDomain(
      foreignDomainXml('foreign', [
        '<disk type="file" device="cdrom"><driver name="qemu" type="raw"/><target dev="sda"/></disk>',
        '<disk type="network" device="disk"><driver name="qemu" type="raw"/><source protocol="nbd" name="x"/><target dev="vda"/></disk>',
        '<disk type="volume" device="disk"><driver name="qemu" type="qcow2"/><source pool="pool" volume="volume.qcow2"/><target dev="vdb"/></disk>',
        diskXml(overlay, 'raw', 'vdc'),
        diskXml('/nonexistent/disk', 'qcow2', 'vdd'),
      ]),
    );
    for (const reference of ['foreign', domain.uuid, domain.uuid.toUpperCase()]) {
      const found = await inspectDomain(host, reference);
      expect(found.instance).toBeUndefined();
      expect(found.disks).toMatchObject([
        { target: 'sda', source: undefined, chain: [] },
        { target: 'vda', source: undefined, chain: [] },
        {
          target: 'vdb',
          source: overlay,
          driverTypeMatches: true,
          chain: [{ path: overlay }, { path: basePath }],
        },
        // Read as what QEMU would read it as: no chain.
        {
          target: 'vdc',
          driverTypeMatches: false,
          chain: [{ path: overlay, format: 'raw', detectedFormat: 'qcow2' }],
        },
        { target: 'vdd', driverTypeMatches: undefined, chain: [{ path: '/nonexistent/disk' }] },
      ]);
      expect(found.disks[4]?.chain[0]?.problem).toMatch(/nonexistent/);
    }
  });

  it('a chain that is broken or goes round ends, and says why', async () => {
    const host = await openPrepared();
    const first = join(host.directory, 'first');
    const second = join(host.directory, 'second');
    await writeFile(second, '');
    await makeOverlay(first, second, { virtualSize: '1M' });
    await makeOverlay(second, first, { virtualSize: '1M', format: 'qcow2' });
    await execa('qemu-img', ['rebase', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', second, first]);
    await host.hypervisor.defineDomain(foreignDomainXml('round', [diskXml(first, 'qcow2')]));
    const round = (await inspectDomain(host, 'round')).disks[0];
    expect(round?.chain.at(-1)?.problem).toBe('the chain does not end');
    expect(round?.overlap).toBeUndefined();
    await rm(second);
    const broken = (await inspectDomain(host, 'round')).disks[0];
    expect(broken?.chain).toHaveLength(2);
    expect(broken?.chain[1]?.problem).toBeDefined();
  });

  it('what is not there', async () => {
    const host = await openPrepared();
    const { instance } = await launchInstance(host, request);
    await expectRefusal(inspectDomain(host, 'none'), 'INSTANCE_NOT_FOUND');
    host.hypervisor.loseDomain(instance.uuid);
    await expectRefusal(inspectDomain(host, instance.domainName), 'DOMAIN_NOT_FOUND');
  });

  it('writes nothing', async () => {
    const host = await openPrepared();
    await launchInstance(host, request);
    const before = await listTree(host.home.root);
    await inspectDomain(host, 'itg-00000001');
    await inspectImage(host, 'tiny');
    expect(await listTree(host.home.root)).toEqual(before);
  });
});

describe('who uses a file', () => {
  async function usersOf(host: IntegrationHost, path: string): Promise<readonly string[]> {
    return (await readFileUsers(host)).get(path) ?? [];
  }

  it('our instances, and foreign domains by XML, by header, through links, volumes and several overlays', async () => {
    const host = await openPrepared();
    const { basePath } = await launchInstance(host, request);
    await launchInstance(host, { ...request, cow: false });
    const directory = join(host.directory, 'elsewhere');
    await mkdir(directory);
    const overlay = await makeOverlay(join(directory, 'overlay'), basePath);
    const second = await makeOverlay(join(directory, 'second'), overlay, { format: 'qcow2' });
    const link = join(directory, 'link');
    await symlink(basePath, link);
    const linked = await makeOverlay(join(directory, 'linked'), link);
    const relative = join(directory, 'relative');
    await execa('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', 'link', '-F', 'raw', relative], {
      cwd: directory,
    });
    host.hypervisor.addVolume('pool', 'second', second);
    const domains: Readonly<Record<string, string>> = {
      'by-xml': diskXml(basePath, 'raw'),
      'by-header': diskXml(overlay, 'qcow2'),
      'by-link': diskXml(link, 'raw'),
      'by-linked-backing': diskXml(linked, 'qcow2'),
      'by-relative-backing': diskXml(relative, 'qcow2'),
      'by-volume':
        '<disk type="volume" device="disk"><source pool="pool" volume="second"/><target dev="vda"/></disk>',
      'by-backing-store': diskXml(
        '/elsewhere',
        'qcow2',
        'vda',
        `<backingStore type="file"><format type="raw"/><source file="${basePath}"/><backingStore/></backingStore>`,
      ),
      'by-mirror': diskXml(
        '/elsewhere',
        'qcow2',
        'vda',
        `<mirror type="file" job="copy"><source file="${overlay}"/></mirror>`,
      ),
      'not-at-all': diskXml(join(directory, 'nothing'), 'raw'),
    };
    for (const [name, disk] of Object.entries(domains)) {
      await host.hypervisor.defineDomain(foreignDomainXml(name, [disk]));
    }
    const names = Object.keys(domains).filter((name) => name !== 'not-at-all');
    expect(await usersOf(host, basePath)).toEqual([...names, 'itg-00000001'].sort());
    const [base] = (await inspectImage(host, 'tiny')).bases;
    expect(base).toMatchObject({ path: basePath, usedBy: [...names, 'itg-00000001'].sort() });
    const { disks } = await inspectDomain(host, 'itg-00000001');
    expect(disks[0]?.chain[1]?.sharedWith).toEqual(names.sort());
  });

  it('an instance whose record, disk, or domain is gone still counts', async () => {
    const host = await openPrepared();
    const { basePath, instance, diskPath } = await launchInstance(host, request);
    const { record } = host.home.instance(instance.domainName);
    host.hypervisor.loseDomain(instance.uuid);
    expect(await usersOf(host, basePath)).toEqual([instance.domainName]);
    await rename(diskPath, `${diskPath}.away`);
    expect(await usersOf(host, basePath)).toEqual([instance.domainName]);
    await rename(`${diskPath}.away`, diskPath);
    await rm(record);
    expect(await usersOf(host, basePath)).toEqual([instance.domainName]);
  });

  it('a base is called after its image, whoever uses it', async () => {
    const host = await openPrepared();
    const { basePath } = await launchInstance(host, request);
    expect(basename(basePath)).toMatch(/^[0-9a-f]{40}_1$/);
    expect((await inspectImage(host, 'tiny')).bases.map(({ usedBy }) => usedBy)).toEqual([['itg-00000001']]);
  });
});
