import { stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { renderStorage } from '../../src/cli/render-storage.js';
import { launchInstance } from '../../src/instance/launch-instance.js';
import { diagnoseStorage } from '../../src/instance/bases/measure-storage-needs.js';
import { measureStorage } from '../../src/instance/bases/measure-storage.js';
import type { LaunchRequest } from '../../src/instance/plan-launch.js';
import {
  expectRefusal,
  gib,
  importTiny,
  listLitter,
  listTree,
  mib,
  openIntegrationHost,
} from '../support/integration-host.js';
import { mountFileSystem } from '../support/mounted-file-system.js';

const request: LaunchRequest = { image: 'tiny', flavor: 'm1.tiny', virtType: 'qemu' };

describe('df', () => {
  it('an empty home has nothing', async () => {
    const host = await openIntegrationHost();
    const report = await measureStorage(host);
    expect(report).toMatchObject({ items: [], usedBytes: 0, sharedBytes: 0 });
    expect(renderStorage(report)).toContain('nothing is kept yet');
  });

  it('counts images, bases, overlays and raw copies, with who is in the way', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const { instance } = await launchInstance(host, request);
    await launchInstance(host, { ...request, cow: false, name: 'whole' });
    const report = await measureStorage(host);
    expect(report.items.map(({ kind, name, usedBy }) => [kind, name, usedBy])).toEqual([
      ['image', 'tiny', [instance.domainName]],
      ['base', 'tiny', [instance.domainName]],
      ['overlay', instance.domainName, []],
      ['copy', 'whole', []],
    ]);
    for (const { allocatedBytes } of report.items) expect(allocatedBytes).toBeGreaterThan(0);
    const text = renderStorage(report);
    for (const line of text.split('\n').slice(0, -2)) expect(line.length, line).toBeLessThanOrEqual(100);
  });

  it.each(['xfs', 'btrfs'] as const)('%s: blocks that are shared are counted once', async (make) => {
    const directory = await mountFileSystem(make);
    const host = await openIntegrationHost({ directory });
    await importTiny(host, { dataBytes: 8 * mib });
    await launchInstance(host, request);
    await launchInstance(host, { ...request, cow: false, name: 'whole' });
    await execa('sync', ['-f', directory]);
    const report = await measureStorage(host);
    const base = report.items.find(({ kind }) => kind === 'base');
    const copy = report.items.find(({ kind }) => kind === 'copy');
    expect(base?.allocatedBytes).toBeGreaterThanOrEqual(8 * mib);
    expect(base?.givesBackBytes).toBeLessThan(mib);
    expect(copy?.givesBackBytes).toBeLessThan(mib);
    expect(report.sharedBytes).toBeGreaterThanOrEqual(8 * mib);
  });
});

describe('doctor storage', () => {
  it('knows xfs, and that files can share blocks there', async () => {
    const directory = await mountFileSystem('xfs');
    const host = await openIntegrationHost({ directory });
    const { facts, plan } = await diagnoseStorage(host);
    expect(facts).toMatchObject({ fileSystem: 'xfs', reflink: true, sparse: true, isNetwork: false });
    expect(plan).toMatchObject({ baseFormat: 'raw', secondSize: 'clone' });
    expect(await listLitter(host)).toEqual([]);
  });
});

describe('invariant 10: a launch that would not fit is refused before it starts', () => {
  it.each([
    ['a base that is to be made', {}, 20 * mib],
    ['a raw copy beside its base', { cow: false }, 40 * mib],
    ['space taken at once', { preallocation: 'falloc' as const }, gib],
  ])('%s', async (_, more, atLeastBytes) => {
    const directory = await mountFileSystem('tmpfs');
    const host = await openIntegrationHost({ directory });
    await importTiny(host, { dataBytes: 20 * mib });
    // What is left is less than it takes.
    const { bavail, bsize } = await statfs(directory);
    const left = atLeastBytes > 64 * mib ? 30 * mib : atLeastBytes - 8 * mib;
    const fill = bavail * bsize - left;
    if (fill > 0) await execa('fallocate', ['-l', `${fill}`, join(directory, 'fill')]);
    const before = await listTree(host.home.root);
    const error = await expectRefusal(launchInstance(host, { ...request, ...more }), 'DISK_FULL');
    expect(error.message).toMatch(/^cannot launch "tiny": it needs .* and .* are free$/);
    expect(error.details?.['neededBytes']).toBeGreaterThanOrEqual(atLeastBytes);
    expect(error.details?.['freeBytes']).toBeLessThanOrEqual(left);
    expect(error.hint).toContain('launch df');
    expect(await listLitter(host, before)).toEqual([]);
    // Not even a number was given out.
    await expect(stat(host.home.counterFile)).rejects.toThrow('ENOENT');
    expect(host.runner.countOf('convert')).toBe(0);
  });
});

describe('a base of another size serves, and is not counted again', () => {
  it.each(['tmpfs', 'xfs'] as const)('on %s, with no room for a second one', async (make) => {
    const directory = await mountFileSystem(make);
    const host = await openIntegrationHost({ directory });
    await importTiny(host, { dataBytes: 20 * mib });
    await launchInstance(host, request);
    // Room for an overlay, not for another base.
    const { bavail, bsize } = await statfs(directory);
    await execa('fallocate', ['-l', `${bavail * bsize - 12 * mib}`, join(directory, 'fill')]);
    const { baseOrigin } = await launchInstance(host, { ...request, flavor: 'm1.small', memoryMib: 96 });
    expect(baseOrigin).toBe(make === 'tmpfs' ? 'shared' : 'reflinked');
    expect(host.runner.countOf('convert')).toBe(1);
  });
});
