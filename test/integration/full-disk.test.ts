import { statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { LaunchError } from '../../src/host/launch-error.js';
import { listImages } from '../../src/image/image-store.js';
import { verifyBases } from '../../src/instance/bases/base-verbs.js';
import { deleteInstance } from '../../src/instance/delete-instance.js';
import { importImageFile, removeImage, verifyStoredImage } from '../../src/instance/images/image-verbs.js';
import { launchInstance } from '../../src/instance/launch-instance.js';
import { listInstances } from '../../src/instance/list-instances.js';
import type { LaunchRequest } from '../../src/instance/plan-launch.js';
import { prefetchBase } from '../support/prefetch.js';
import { pruneBases } from '../../src/instance/bases/prune-bases.js';
import { Child, compileForSuite } from '../support/child-process.js';
import {
  importTiny,
  listLitter,
  listTree,
  makeImageFile,
  makeTemporaryDirectory,
  mib,
  openIntegrationHost,
  type IntegrationHost,
} from '../support/integration-host.js';
import { mountFileSystem, type FileSystemKind } from '../support/mounted-file-system.js';

const dataBytes = 8 * mib;
const anyAge = { olderThanMs: 0, keepFreeBytes: undefined, dryRun: false };
const request: LaunchRequest = { image: 'tiny', flavor: 'm1.tiny', virtType: 'qemu' };

/** Takes all but so many bytes of a file system, or nearly: some keep blocks for their own tables. */
async function leaveFree(directory: string, freeBytes: number): Promise<void> {
  const fill = join(directory, 'fill');
  await writeFile(fill, '');
  await execa('sync', ['--file-system', directory]);
  const { bavail, bsize } = await statfs(directory);
  for (let takeBytes = Math.floor(bavail * bsize - freeBytes); takeBytes > 0; takeBytes -= mib / 4) {
    const taken = await execa('fallocate', ['--length', `${takeBytes}`, fill], { reject: false });
    if (taken.exitCode === 0) return;
    await writeFile(fill, '');
  }
}

/** Runs a verb; when it is refused, it says so in bytes or names the file, and leaves the home as it was. */
async function succeeds(host: IntegrationHost, verb: () => Promise<unknown>): Promise<boolean> {
  const before = await listTree(host.home.root);
  try {
    await verb();
    return true;
  } catch (error) {
    if (!(error instanceof LaunchError)) throw error;
    expect(error.code, error.message).toBe('DISK_FULL');
    expect(error.message).toMatch(/are free|the file system is full|No space left/);
    expect(error.hint).toBeTruthy();
    const kept = ['images/', 'locks/', ...before];
    expect((await listLitter(host, kept)).filter((path) => !kept.includes(path))).toEqual([]);
    return false;
  }
}

describe('invariant 10: a file system of every awkward size', () => {
  // In parts of what the image holds: far too small, too small by little, just enough, enough. An import
  // leaves 2 % of the file system free, which is most on the largest of them.
  const parts = [0, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.96, 1, 1.04, 1.1, 1.2, 1.4, 1.8, 2.4];

  it.each(['tmpfs', 'ext4', 'xfs'] as const satisfies readonly FileSystemKind[])(
    '%s: import, conversion and launch end well, or with an error and nothing left',
    async (kind) => {
      const sizeBytes = kind === 'xfs' ? 320 * mib : 64 * mib;
      const directory = await mountFileSystem(kind, {
        sizeBytes,
        makeOptions: kind === 'ext4' ? ['-m', '0'] : [],
      });
      const host = await openIntegrationHost({ directory });
      const elsewhere = await makeTemporaryDirectory();
      const path = await makeImageFile(elsewhere, 'qcow2', { dataBytes });
      // What is there before has to be there after.
      await importTiny(host, { name: 'first', dataBytes: mib, seed: 7 });
      await deleteInstance(
        host,
        (await launchInstance(host, { ...request, image: 'first' })).instance.domainName,
      );
      await pruneBases(host, anyAge);
      const first = await listTree(host.home.root);
      const count = { imported: 0, converted: 0, launched: 0 };
      for (const part of parts) {
        await leaveFree(directory, part * dataBytes);
        const imported = await succeeds(host, () =>
          importImageFile(host, { source: { path }, name: 'tiny' }),
        );
        if (imported) count.imported += 1;
        else {
          await leaveFree(directory, 4 * dataBytes);
          await importImageFile(host, { source: { path }, name: 'tiny' });
        }
        await leaveFree(directory, part * dataBytes);
        if (await succeeds(host, () => prefetchBase(host, { image: 'tiny', flavor: 'm1.tiny' }))) {
          count.converted += 1;
          expect((await verifyBases(host, [])).every(({ sound }) => sound)).toBe(true);
          await leaveFree(directory, 4 * dataBytes);
          await pruneBases(host, anyAge);
        }
        // A launch writes more: 4 MiB for what is small.
        await leaveFree(directory, part * (dataBytes + 5 * mib));
        if (await succeeds(host, () => launchInstance(host, request))) count.launched += 1;
        // On a full disk, all else works: what is there is read, listed, and removed.
        await leaveFree(directory, 0);
        await verifyStoredImage(host, 'first');
        expect((await listImages(host.home)).images.map(({ name }) => name).sort()).toEqual([
          'first',
          'tiny',
        ]);
        for (const { domainName } of await listInstances(host)) await deleteInstance(host, domainName);
        await pruneBases(host, anyAge);
        await removeImage(host, 'tiny');
        expect(await listLitter(host, first)).toEqual([]);
      }
      // Both outcomes were met for each verb.
      for (const met of Object.values(count)) {
        expect(met).toBeGreaterThan(1);
        expect(met).toBeLessThan(parts.length - 4);
      }
    },
    300_000,
  );
});

describe('invariant 10: a limit in the middle of a file, as a quota has it', () => {
  const compiled = compileForSuite();

  it.each([
    ['import', 0],
    ['import', 3 * mib],
    ['prefetch', 0],
    ['prefetch', 5 * mib],
    ['prefetch', 512 * mib],
  ] as const)('%s, files of at most %i bytes', async (verb, maximumFileBytes) => {
    const host = await openIntegrationHost();
    const path = await makeImageFile(host.directory, 'qcow2', { dataBytes });
    if (verb === 'prefetch') await importImageFile(host, { source: { path }, name: 'tiny' });
    const before = await listTree(host.home.root);
    const child = new Child(
      compiled.script,
      host.home.root,
      verb === 'import' ? { verb, path, name: 'tiny' } : { verb, image: 'tiny', flavor: 'm1.tiny' },
      { maximumFileBytes },
    );
    await child.ready();
    child.go();
    await expect(child.end()).rejects.toThrow(
      /the file system cannot hold a file of that size|File too large|SIGXFSZ/,
    );
    const kept = ['images/', 'locks/', ...before];
    expect((await listLitter(host, kept)).filter((one) => !kept.includes(one))).toEqual([]);
    if (verb === 'import') await importImageFile(host, { source: { path }, name: 'tiny' });
    expect((await prefetchBase(host, { image: 'tiny', flavor: 'm1.tiny' })).origin).toBe('converted');
  });
});
