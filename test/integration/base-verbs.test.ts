import { chmod, open, rm, stat, utimes } from 'node:fs/promises';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import {
  baseName,
  findBase,
  findLastUse,
  writeBaseRecord,
  type BaseRecord,
} from '../../src/disk/base-record.js';
import { digestRawDisk } from '../../src/disk/digest.js';
import { asMaker } from '../../src/host/maker.js';
import { getImage } from '../../src/image/image-store.js';
import { listBaseReports, verifyBases } from '../../src/instance/bases/base-verbs.js';
import { startInstance, stopInstance } from '../../src/instance/change-state.js';
import { deleteInstance } from '../../src/instance/delete-instance.js';
import { inspectDomain } from '../../src/instance/inspect-domain.js';
import { launchInstance } from '../../src/instance/launch-instance.js';
import type { LaunchRequest } from '../../src/instance/plan-launch.js';
import { prefetchBases } from '../../src/instance/bases/prefetch-base.js';
import { prefetchBase } from '../support/prefetch.js';
import {
  expectRefusal,
  gib,
  importTiny,
  mib,
  openIntegrationHost,
  qemuImgInfo,
  type IntegrationHost,
} from '../support/integration-host.js';
import { mountFileSystem } from '../support/mounted-file-system.js';

const request: LaunchRequest = { image: 'tiny', flavor: 'm1.tiny', virtType: 'qemu' };

async function flipByte(path: string, position: number): Promise<void> {
  await chmod(path, 0o644);
  const handle = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, position);
  byte.writeUInt8(byte.readUInt8(0) ^ 1);
  await handle.write(byte, 0, 1, position);
  await handle.close();
  await chmod(path, 0o444);
}

describe('base list', () => {
  it('tells image, sizes, users, last use and verification', async () => {
    const host = await openIntegrationHost();
    const image = await importTiny(host);
    expect(await listBaseReports(host)).toEqual([]);
    const { instance, basePath } = await launchInstance(host, request);
    expect(await listBaseReports(host)).toMatchObject([
      {
        name: baseName(image.id, 1),
        path: basePath,
        image: { id: image.id, name: 'tiny' },
        format: 'raw',
        virtualSizeBytes: gib,
        usedBy: [instance.domainName],
        digest: await digestRawDisk(basePath, host.qemuImg),
        problem: undefined,
      },
    ]);
    await deleteInstance(host, instance.domainName);
    const [base] = await listBaseReports(host);
    expect(base?.usedBy).toEqual([]);
    expect(base?.allocatedBytes).toBe((await stat(basePath)).blocks * 512);
  });

  it('launch, start and delete are uses; reading it again is none', async () => {
    const host = await openIntegrationHost();
    const image = await importTiny(host);
    const name = baseName(image.id, 1);
    const uses: number[] = [];
    const look = async () => uses.push((await findLastUse(host.home, name))?.getTime() ?? 0);
    const { instance, basePath } = await launchInstance(host, request);
    await look();
    await stopInstance(host, instance.domainName, { timeoutMs: 0 });
    await startInstance(host, instance.domainName);
    await look();
    await deleteInstance(host, instance.domainName);
    await look();
    expect(uses).toEqual([...new Set(uses)].sort((a, b) => a - b));
    const last = uses.at(-1);
    // Also when it is written down anew that it is sound.
    await utimes(basePath, 1, 1);
    expect((await verifyBases(host, [])).map(({ sound }) => sound)).toEqual([true]);
    expect((await findLastUse(host.home, name))?.getTime()).toBe(last);
  });

  it('a base without its record is listed with what is wrong', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const { path } = await prefetchBase(host, { image: 'tiny', flavor: 'm1.tiny' });
    await rm(`${path}.json`);
    expect(await listBaseReports(host)).toMatchObject([{ path, problem: 'its record is missing' }]);
  });
});

describe('base verify', () => {
  it('invariant 6: finds a flipped byte though the time of the file is as before, and reads the others', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    await importTiny(host, { name: 'other', seed: 2 });
    const { path } = await prefetchBase(host, { image: 'tiny', flavor: 'm1.tiny' });
    await prefetchBase(host, { image: 'other', flavor: 'm1.tiny' });
    const before = await stat(path);
    await flipByte(path, mib);
    await utimes(path, before.atime, before.mtime);
    const findings = await verifyBases(host, []);
    expect(findings.map(({ base, sound }) => [base.image?.name, sound])).toEqual([
      ['other', true],
      ['tiny', false],
    ]);
    expect(findings[1]?.foundDigest).not.toBe(findings[1]?.expectedDigest);
    expect(findings[1]?.changedMib).toEqual([1]);
    expect(findings[1]?.problem).toMatch(
      / is not what it was when it was made: 1 MiB of it differs \(MiB 1\)$/,
    );
    await flipByte(path, mib);
    expect((await verifyBases(host, ['tiny'])).map(({ sound }) => sound)).toEqual([true]);
  });

  it('says which MiB differ, few or many, also of a clone', async () => {
    const host = await openIntegrationHost({ directory: await mountFileSystem('xfs') });
    await importTiny(host, { dataBytes: 16 * mib });
    await prefetchBase(host, { image: 'tiny', flavor: 'm1.tiny' });
    const { path, origin } = await prefetchBase(host, { image: 'tiny', flavor: 'm1.small' });
    expect(origin).toBe('reflinked');
    for (const index of [0, 2, 3, 4, 9, 11, 13, 1000]) await flipByte(path, index * mib + 5);
    const [, clone] = await verifyBases(host, []);
    expect(clone?.changedMib).toEqual([0, 2, 3, 4, 9, 11, 13, 1000]);
    expect(clone?.problem).toMatch(/: 8 MiB of it differ \(MiB 0, 2 to 4, 9, 11, …\)$/);
  });

  it('a base of a record without chunks is sound, and has them then', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const { name, path } = await prefetchBase(host, { image: 'tiny', flavor: 'm1.tiny' });
    const { chunks, ...older } = (await findBase(host.home, name)) ?? {};
    await asMaker(host.home, (maker) => writeBaseRecord(host.home, older as BaseRecord, maker));
    await flipByte(path, mib);
    const [changed] = await verifyBases(host, []);
    expect([changed?.sound, changed?.changedMib]).toEqual([false, undefined]);
    await flipByte(path, mib);
    expect((await verifyBases(host, [])).map(({ sound }) => sound)).toEqual([true]);
    expect((await findBase(host.home, name))?.chunks).toBe(chunks);
  });

  it('takes images and starts of names, and refuses what is neither', async () => {
    const host = await openIntegrationHost();
    const image = await importTiny(host);
    const { name } = await prefetchBase(host, { image: 'tiny', flavor: 'm1.tiny' });
    for (const reference of ['tiny', image.id, name, name.slice(0, 6)]) {
      expect(await verifyBases(host, [reference, reference])).toHaveLength(1);
    }
    await expectRefusal(verifyBases(host, ['no such']), 'BASE_NOT_FOUND');
  });
});

describe('image prefetch', () => {
  it('makes the base that the launch then finds, once', async () => {
    const host = await openIntegrationHost();
    const image = await importTiny(host);
    const steps: string[] = [];
    const made = await prefetchBase(
      host,
      { image: 'tiny', flavor: 'm1.tiny' },
      {
        onEvent: (event) => {
          if ('step' in event) steps.push(`${event.type} ${event.step}`);
        },
      },
    );
    expect(made).toMatchObject({ origin: 'converted', name: baseName(image.id, 1), virtualSizeBytes: gib });
    expect(steps).toContain('step-progress base');
    expect(steps).toContain('step-done digest');
    expect((await prefetchBase(host, { image: 'tiny', flavor: 'm1.tiny' })).origin).toBe('found');
    expect((await launchInstance(host, request)).baseOrigin).toBe('found');
    expect(host.runner.countOf('convert')).toBe(1);
  });

  it('makes what each flavor needs, of one conversion', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const flavors = ['m1.tiny', 'm1.small', 'm1.tiny'];
    const made = await prefetchBases(host, { image: 'tiny', flavors });
    expect(made.map(({ origin }) => origin === 'converted')).toEqual([true, false, false]);
    for (const [at, flavor] of flavors.entries()) {
      const launched = await launchInstance(host, { ...request, flavor });
      expect(launched.instance.disk.base).toBe(made[at]?.name);
    }
    expect(host.runner.countOf('convert')).toBe(1);
  });

  it('refuses a flavor that is too small, before it makes a base for another', async () => {
    const host = await openIntegrationHost();
    await importTiny(host, { virtualSizeBytes: 2 * gib });
    const flavors = ['m1.small', 'm1.tiny'];
    await expectRefusal(prefetchBases(host, { image: 'tiny', flavors }), 'FLAVOR_TOO_SMALL');
    await expectRefusal(
      prefetchBases(host, { image: 'tiny', flavors: ['m1.small', 'no'] }),
      'FLAVOR_NOT_FOUND',
    );
    expect(host.runner.countOf('convert')).toBe(0);
  });
});

describe('a base that is in place and unsettled', () => {
  async function unsettle(host: IntegrationHost, bootId: string | undefined): Promise<string> {
    const image = await getImage(host.home, 'tiny');
    const { name, path } = await prefetchBase(host, { image: 'tiny', flavor: 'm1.tiny' });
    const base = await findBase(host.home, name);
    if (base === undefined) throw new Error(`no base of ${image.id}`);
    await asMaker(host.home, (maker) =>
      writeBaseRecord(
        host.home,
        { ...base, digest: null, ...(bootId === undefined ? {} : { bootId }) },
        maker,
      ),
    );
    return path;
  }
  const settledDigest = async (host: IntegrationHost) => (await listBaseReports(host))[0]?.digest;

  it('by a kill: the next launch uses it and writes its digest down', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const path = await unsettle(host, undefined);
    expect((await launchInstance(host, request)).baseOrigin).toBe('found');
    expect(host.runner.countOf('convert')).toBe(1);
    expect(await settledDigest(host)).toBe(await digestRawDisk(path, host.qemuImg));
  });

  it('touched before its digest was known: made again and compared, the file stays', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const path = await unsettle(host, undefined);
    const { ino } = await stat(path);
    await utimes(path, 1, 1);
    await launchInstance(host, request);
    expect((await stat(path)).ino).toBe(ino);
    expect(host.runner.countOf('convert')).toBe(2);
  });

  it('changed before its digest was known: nothing starts on it', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const path = await unsettle(host, undefined);
    await flipByte(path, mib);
    await expectRefusal(launchInstance(host, request), 'BASE_CHANGED');
    expect((await verifyBases(host, [])).map(({ sound }) => sound)).toEqual([false]);
  });

  it('by a crash of the host that tore it: made again in its place', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const path = await unsettle(host, 'another boot');
    const digest = await digestRawDisk(path, host.qemuImg);
    const before = await stat(path);
    await chmod(path, 0o644);
    const handle = await open(path, 'r+');
    await handle.write(Buffer.alloc(mib), 0, mib, 0);
    await handle.close();
    await utimes(path, before.atime, before.mtime);
    await launchInstance(host, request);
    expect(await digestRawDisk(path, host.qemuImg)).toBe(digest);
    expect(await settledDigest(host)).toBe(digest);
  });
});

describe('--base-format qcow2', () => {
  it('keeps a clean qcow2 beside the raw one, with the same digest; overlay and report follow', async () => {
    const host = await openIntegrationHost();
    const image = await importTiny(host);
    const { basePath: rawPath } = await launchInstance(host, request);
    const { basePath, diskPath, instance } = await launchInstance(host, { ...request, baseFormat: 'qcow2' });
    expect(basePath).toBe(host.home.base(baseName(image.id, 1, 'qcow2')).file);
    expect(basePath).not.toBe(rawPath);
    expect(await qemuImgInfo(basePath, 'qcow2')).toMatchObject({ format: 'qcow2', 'virtual-size': gib });
    expect(await qemuImgInfo(diskPath, 'qcow2')).toMatchObject({
      'backing-filename': basePath,
      'backing-filename-format': 'qcow2',
    });
    const [raw, qcow2] = await listBaseReports(host);
    expect([raw?.format, qcow2?.format]).toEqual(['raw', 'qcow2']);
    expect(qcow2?.digest).toBe(raw?.digest);
    expect(qcow2?.usedBy).toEqual([instance.domainName]);
    expect(
      (await inspectDomain(host, instance.domainName)).disks[0]?.chain.map(({ format }) => format),
    ).toEqual(['qcow2', 'qcow2']);
    const compared = await execa('qemu-img', ['compare', '-f', 'raw', '-F', 'qcow2', rawPath, basePath]);
    expect(compared.stdout).toContain('Images are identical');
    expect((await launchInstance(host, { ...request, baseFormat: 'qcow2' })).baseOrigin).toBe('found');
  });

  it('a raw copy of it is raw', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const { basePath, diskPath } = await launchInstance(host, {
      ...request,
      cow: false,
      baseFormat: 'qcow2',
    });
    const compared = await execa('qemu-img', ['compare', '-f', 'raw', '-F', 'qcow2', diskPath, basePath]);
    expect(compared.stdout).toContain('Images are identical');
  });

  it('invariant 6: a byte flipped in it is found', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const { basePath } = await launchInstance(host, { ...request, baseFormat: 'qcow2' });
    const map = await execa('qemu-img', ['map', '-f', 'qcow2', '--output=json', basePath]);
    const extents = JSON.parse(map.stdout) as readonly { readonly data: boolean; readonly offset?: number }[];
    await flipByte(basePath, (extents.find(({ data }) => data)?.offset ?? 0) + 4096);
    await expectRefusal(launchInstance(host, { ...request, baseFormat: 'qcow2' }), 'BASE_CHANGED');
    expect((await verifyBases(host, [])).map(({ sound }) => sound)).toEqual([false]);
  });
});
