import { randomUUID } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { baseName, findBase } from '../../src/disk/base-record.js';
import { digestRawDisk } from '../../src/disk/digest.js';
import { ensureBase } from '../../src/disk/ensure-base.js';
import { asMaker } from '../../src/host/maker.js';
import { getImage } from '../../src/image/image-store.js';
import { clearLeftovers } from '../../src/instance/clear-leftovers.js';
import { deleteInstance } from '../../src/instance/delete-instance.js';
import { launchInstance } from '../../src/instance/launch-instance.js';
import type { LaunchRequest } from '../../src/instance/plan-launch.js';
import { prefetchBase } from '../support/prefetch.js';
import { pruneBases, type PruneReport } from '../../src/instance/bases/prune-bases.js';
import { Child, compileForSuite, listProcessesNaming, runAndKill } from '../support/child-process.js';
import type { ChildVerb } from '../support/child-verb.js';
import { diskXml, foreignDomainXml, makeOverlay } from '../support/foreign-domain.js';
import {
  expectRefusal,
  importTiny,
  listLitter,
  listTree,
  mib,
  openIntegrationHost,
  type IntegrationHost,
} from '../support/integration-host.js';
import { createRandom } from '../support/random.js';

const request: LaunchRequest = { image: 'tiny', flavor: 'm1.tiny', virtType: 'qemu' };
const anyAge = { olderThanMs: 0, keepFreeBytes: undefined, dryRun: false };

const reasonsOf = ({ bases }: PruneReport) => bases.map(({ reason, removed }) => [reason, removed]);

async function openWithBase(): Promise<{ readonly host: IntegrationHost; readonly path: string }> {
  const host = await openIntegrationHost();
  await importTiny(host);
  const { path } = await prefetchBase(host, { image: 'tiny', flavor: 'm1.tiny' });
  return { host, path };
}

describe('base prune', () => {
  it('removes what nothing uses, says what it freed, and the next launch makes it anew', async () => {
    const { host, path } = await openWithBase();
    const takes = (await stat(path)).blocks * 512;
    const dry = await pruneBases(host, { ...anyAge, dryRun: true });
    expect([reasonsOf(dry), dry.removedBytes]).toEqual([[['unused', true]], takes]);
    expect(await readdir(host.home.bases)).toHaveLength(2);
    const report = await pruneBases(host, anyAge);
    expect([reasonsOf(report), report.removedBytes]).toEqual([[['unused', true]], takes]);
    expect(await readdir(host.home.bases)).toEqual([]);
    expect((await launchInstance(host, request)).baseOrigin).toBe('converted');
  });

  it('keeps what was used lately, and what has to be free already', async () => {
    const { host } = await openWithBase();
    expect(reasonsOf(await pruneBases(host, { ...anyAge, olderThanMs: 3_600_000 }))).toEqual([
      ['recent', false],
    ]);
    expect(reasonsOf(await pruneBases(host, { ...anyAge, keepFreeBytes: 1 }))).toEqual([
      ['enough-free', false],
    ]);
    expect(reasonsOf(await pruneBases(host, { ...anyAge, keepFreeBytes: 2 ** 60 }))).toEqual([
      ['unused', true],
    ]);
  });

  it('clears the record of a base that is gone', async () => {
    const { host, path } = await openWithBase();
    await rm(path);
    await pruneBases(host, anyAge);
    expect(await readdir(host.home.bases)).toEqual([]);
  });

  it('removes a base whose image is gone, and one without its record', async () => {
    const { host, path } = await openWithBase();
    const image = await getImage(host.home, 'tiny');
    await rm(`${path}.json`);
    await rm(host.home.image(image.id).directory, { recursive: true });
    expect(reasonsOf(await pruneBases(host, anyAge))).toEqual([['unused', true]]);
    expect(await readdir(host.home.bases)).toEqual([]);
  });
});

describe('invariant 6: no base is removed while any domain or record points at it', () => {
  it('an instance', async () => {
    const { host, path } = await openWithBase();
    const { instance } = await launchInstance(host, request);
    const report = await pruneBases(host, anyAge);
    expect(report.bases).toMatchObject([{ reason: 'used', usedBy: [instance.domainName] }]);
    // Its record is enough, also when libvirt has forgotten the domain and the disk is gone.
    host.hypervisor.loseDomain(instance.uuid);
    await rm(host.home.instance(instance.domainName).disk);
    expect(reasonsOf(await pruneBases(host, anyAge))).toEqual([['used', false]]);
    await deleteInstance(host, instance.domainName);
    expect(reasonsOf(await pruneBases(host, anyAge))).toEqual([['unused', true]]);
    await expect(stat(path)).rejects.toThrow('ENOENT');
  });

  it.each(['the base itself', 'an overlay on it', 'an overlay on an overlay', 'a json: name'])(
    "somebody else's domain with %s",
    async (what) => {
      const { host, path } = await openWithBase();
      const overlay = join(host.directory, 'overlay.qcow2');
      const second = join(host.directory, 'second.qcow2');
      if (what === 'a json: name') {
        const name = `json:${JSON.stringify({ driver: 'raw', file: { driver: 'file', filename: path } })}`;
        await makeOverlay(overlay, name, { virtualSize: '1G' });
      } else await makeOverlay(overlay, path);
      await makeOverlay(second, overlay, { format: 'qcow2' });
      const disk =
        what === 'the base itself'
          ? diskXml(path, 'raw')
          : diskXml(what === 'an overlay on an overlay' ? second : overlay, 'qcow2');
      await host.hypervisor.defineDomain(foreignDomainXml('foreign', [disk], { uuid: randomUUID() }));
      expect((await pruneBases(host, anyAge)).bases).toMatchObject([{ reason: 'used', usedBy: ['foreign'] }]);
    },
  );

  it('a launch between finding the base and writing its record', async () => {
    const { host, path } = await openWithBase();
    const image = await getImage(host.home, 'tiny');
    await asMaker(host.home, async (maker) => {
      const { lock } = await ensureBase(host.home, image, 1, host.qemuImg, { maker, now: host.now() });
      expect(reasonsOf(await pruneBases(host, anyAge))).toEqual([['busy', false]]);
      await lock.release();
    });
    await stat(path);
    expect(reasonsOf(await pruneBases(host, anyAge))).toEqual([['unused', true]]);
  });

  it('a prune at every step of a launch', async () => {
    for (const step of ['image', 'base', 'overlay', 'domain', 'running']) {
      const { host } = await openWithBase();
      let pruning: Promise<unknown> = Promise.resolve();
      const { basePath } = await launchInstance(host, request, {
        onEvent: (event) => {
          if (event.type === 'step-started' && event.step === step) pruning = pruneBases(host, anyAge);
        },
      });
      await pruning;
      await stat(basePath);
    }
  });

  it.each(['listDomains', 'readDomainXml'] as const)(
    'a libvirt that fails at %s: nothing goes',
    async (method) => {
      const { host, path } = await openWithBase();
      await host.hypervisor.defineDomain(foreignDomainXml('foreign', [diskXml(path, 'raw')]));
      host.hypervisor.failAt(method);
      await expectRefusal(pruneBases(host, anyAge), 'HYPERVISOR_FAILED');
      await stat(path);
    },
  );
});

describe('invariant 2: what a killed command left half made is cleared by the next', () => {
  const compiled = compileForSuite();

  const childOf = (host: IntegrationHost, verb: ChildVerb) =>
    new Child(compiled.script, host.home.root, verb);

  it('100 rounds of prefetch, conversion for another size, and prune, killed at random moments', async () => {
    const host = await openIntegrationHost();
    const image = await importTiny(host, { dataBytes: 16 * mib });
    const before = await listTree(host.home.root);
    const verbs = [
      { verb: 'prefetch', image: 'tiny', flavor: 'm1.tiny' },
      { verb: 'ensure-base', image: 'tiny', diskGib: 2 },
      { verb: 'prune' },
    ] as const;
    await runAndKill(childOf(host, verbs[0]));
    const digest = (await findBase(host.home, baseName(image.id, 1)))?.digest;
    const tookMs: number[] = [];
    for (const verb of verbs) {
      if (verb.verb !== 'prune') await pruneBases(host, anyAge);
      tookMs.push((await runAndKill(childOf(host, verb))).tookMs);
    }
    const random = createRandom(20120302);
    let unfinished = 0;
    for (let round = 0; round < 100; round += 1) {
      const which = round % 3;
      const verb = verbs[which] ?? verbs[0];
      // A base to make, or one to remove.
      if (verb.verb === 'prune') await prefetchBase(host, { image: 'tiny', flavor: 'm1.tiny' });
      else await pruneBases(host, anyAge);
      await runAndKill(childOf(host, verb), random() * (tookMs[which] ?? 0));
      // What qemu-img was doing ends with its process.
      while ((await listProcessesNaming(host.home.root)).length > 0) await sleep(10);
      const cleared = await clearLeftovers(host);
      if (cleared.length > 0) unfinished += 1;
      const names = (await readdir(host.home.bases)).filter((name) => !name.endsWith('.json'));
      expect(names.filter((name) => name.startsWith('.'))).toEqual([]);
      for (const name of names) {
        expect(await digestRawDisk(join(host.home.bases, name), host.qemuImg), name).toBe(digest);
      }
      expect(await listLitter(host, before)).toEqual([]);
    }
    expect(unfinished).toBeGreaterThan(5);
    const last = await prefetchBase(host, { image: 'tiny', flavor: 'm1.tiny' });
    expect(last.digest).toBe(digest);
    await pruneBases(host, anyAge);
    expect(await readdir(host.home.bases)).toEqual([]);
  });
});
