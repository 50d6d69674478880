import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { baseName, findBase } from '../../src/disk/base-record.js';
import { digestRawDisk } from '../../src/disk/digest.js';
import type { WorkEvent } from '../../src/host/work.js';
import { listImages } from '../../src/image/image-store.js';
import { clearLeftovers } from '../../src/instance/clear-leftovers.js';
import { deleteInstance } from '../../src/instance/delete-instance.js';
import { importImageFile, verifyStoredImage } from '../../src/instance/images/image-verbs.js';
import { launchInstance } from '../../src/instance/launch-instance.js';
import { listInstances } from '../../src/instance/list-instances.js';
import type { LaunchRequest } from '../../src/instance/plan-launch.js';
import { Child, compileForSuite, listProcessesNaming, runAndKill } from '../support/child-process.js';
import type { ChildVerb } from '../support/child-verb.js';
import {
  importTiny,
  listLitter,
  listTree,
  makeImageFile,
  mib,
  openIntegrationHost,
  type IntegrationHost,
} from '../support/integration-host.js';
import { mountFileSystem } from '../support/mounted-file-system.js';
import { createRandom } from '../support/random.js';

const request: LaunchRequest = { image: 'tiny', flavor: 'm1.tiny', virtType: 'qemu' };

const compiled = compileForSuite();

/** What the next command leaves of a killed one; a child of it that still ends is waited for. */
async function expectCleared(host: IntegrationHost, before: readonly string[]): Promise<void> {
  for (let look = 0; (await listProcessesNaming(host.home.root)).length > 0; look += 1) {
    expect(look, 'a process survives').toBeLessThan(100);
    await sleep(20);
  }
  await clearLeftovers(host);
  expect(await listLitter(host, before)).toEqual([]);
  expect(await clearLeftovers(host)).toEqual([]);
}

describe('invariant 2: what a killed command left half made is cleared by the next', () => {
  const childOf = (host: IntegrationHost, verb: ChildVerb) =>
    new Child(compiled.script, host.home.root, verb);

  it('imports, killed at 30 random moments', async () => {
    const host = await openIntegrationHost();
    const path = await makeImageFile(host.directory, 'qcow2', { dataBytes: 24 * mib });
    const { tookMs } = await runAndKill(childOf(host, { verb: 'import', path, name: 'whole' }));
    const random = createRandom(17);
    let killed = 0;
    for (let round = 0; round < 30; round += 1) {
      const before = await listTree(host.home.root);
      const name = `round ${round}`;
      const { result } = await runAndKill(childOf(host, { verb: 'import', path, name }), random() * tookMs);
      const { images, damaged } = await listImages(host.home);
      expect(damaged).toEqual([]);
      // It may have been done, and killed before it could say so; then it is whole.
      const made = images.find((image) => image.name === name);
      if (made === undefined) {
        killed += 1;
        expect(result).toBeUndefined();
        await expectCleared(host, before);
      } else {
        expect((await verifyStoredImage(host, name)).image).toEqual(made);
        await expectCleared(
          host,
          await listTree(host.home.images).then((all) => all.map((one) => `images/${one}`)),
        );
      }
    }
    expect(killed).toBeGreaterThan(0);
    // The next command needs no clearing of its own accord.
    await importImageFile(host, { source: { path }, name: 'after' });
  }, 300_000);

  it('conversions, killed at 25 random moments', async () => {
    const host = await openIntegrationHost();
    const image = await importTiny(host, { dataBytes: 32 * mib });
    const before = await listTree(host.home.root);
    const verb = { verb: 'ensure-base', image: 'tiny', diskGib: 1 } as const;
    const { result, tookMs } = await runAndKill(childOf(host, verb));
    const { digest } = result as { readonly digest: string };
    const base = host.home.base(baseName(image.id, 1));
    const random = createRandom(18);
    let killed = 0;
    for (let round = 0; round < 25; round += 1) {
      await rm(base.file, { force: true });
      await rm(base.record, { force: true });
      await runAndKill(childOf(host, verb), random() * tookMs);
      const record = await findBase(host.home, baseName(image.id, 1));
      if (record === undefined) killed += 1;
      // Its digest may not be written down yet, but the base is whole.
      else expect(await digestRawDisk(base.file, host.qemuImg)).toBe(digest);
      await expectCleared(host, before);
    }
    expect(killed).toBeGreaterThan(0);
    await rm(base.file, { force: true });
    const after = await runAndKill(childOf(host, verb));
    expect(after.result).toEqual({ origin: 'converted', digest });
  }, 300_000);

  it('clones for a second size, killed at 40 random moments', async () => {
    const host = await openIntegrationHost({ directory: await mountFileSystem('xfs') });
    const image = await importTiny(host, { dataBytes: 8 * mib });
    const { digest } = (await runAndKill(childOf(host, { verb: 'ensure-base', image: 'tiny', diskGib: 1 })))
      .result as { readonly digest: string };
    const before = await listTree(host.home.root);
    const verb = { verb: 'ensure-base', image: 'tiny', diskGib: 2 } as const;
    const { result, tookMs } = await runAndKill(childOf(host, verb));
    expect(result).toEqual({ origin: 'reflinked', digest });
    const clone = host.home.base(baseName(image.id, 2));
    const random = createRandom(19);
    let killed = 0;
    for (let round = 0; round < 40; round += 1) {
      await rm(clone.file, { force: true });
      await rm(clone.record, { force: true });
      await runAndKill(childOf(host, verb), random() * tookMs);
      if ((await findBase(host.home, baseName(image.id, 2))) === undefined) killed += 1;
      else expect(await digestRawDisk(clone.file, host.qemuImg)).toBe(digest);
      await expectCleared(host, before);
      // What it was cloned from is as it was.
      expect(await digestRawDisk(host.home.base(baseName(image.id, 1)).file, host.qemuImg)).toBe(digest);
    }
    expect(killed).toBeGreaterThan(0);
    await rm(clone.file, { force: true });
    expect((await runAndKill(childOf(host, verb))).result).toEqual({ origin: 'reflinked', digest });
  }, 300_000);

  it('who waits for one that is killed goes on, and its qemu-img is gone', async () => {
    const host = await openIntegrationHost();
    await importTiny(host, { dataBytes: 64 * mib });
    const before = await listTree(host.home.root);
    const verb = { verb: 'ensure-base', image: 'tiny', diskGib: 1 } as const;
    const [first, second] = [
      new Child(compiled.script, host.home.root, verb),
      new Child(compiled.script, host.home.root, verb),
    ];
    await Promise.all([first.ready(), second.ready()]);
    first.onMessage((message) => {
      if (message.type !== 'event' || !('doneBytes' in message.event)) return;
      if (message.event.message.startsWith('converting')) second.go();
    });
    second.onMessage((message) => {
      if (message.type !== 'event' || message.event.type === 'span') return;
      if (message.event.message.startsWith('waiting')) first.kill();
    });
    first.go();
    await first.end();
    // In case it was done before it could be killed.
    second.go();
    expect(await second.end()).toMatchObject({ origin: expect.stringMatching(/converted|found/) as unknown });
    await expectCleared(host, before);
  });

  it('commands that begin at the same moment are not taken for gone', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const verb = { verb: 'nothing', times: 150 } as const;
    const children = Array.from({ length: 4 }, () => new Child(compiled.script, host.home.root, verb));
    await Promise.all(children.map((child) => child.ready()));
    for (const child of children) child.go();
    const results = await Promise.allSettled(children.map((child) => child.end()));
    expect(results).toEqual(results.map(() => ({ status: 'fulfilled', value: 150 })));
  });
});

describe('invariant 2: a launch whose process is gone', () => {
  /** Makes of launched instances what a kill just before the launch's last step leaves; their names. */
  async function leaveHalfLaunched(
    host: IntegrationHost,
    ...tokens: readonly string[]
  ): Promise<readonly string[]> {
    const launched = [];
    for (const token of tokens) launched.push({ token, ...(await launchInstance(host, request)) });
    for (const { token, instance } of launched) {
      const { record } = host.home.instance(instance.domainName);
      await writeFile(record, JSON.stringify({ ...instance, maker: token }));
      await writeFile(host.home.lock(`maker-${token}`), '');
    }
    return launched.map(({ instance }) => instance.domainName);
  }

  async function openPrepared(): Promise<IntegrationHost> {
    const host = await openIntegrationHost();
    await importTiny(host);
    return host;
  }

  it('is cleared with its domain, and the next command says so', async () => {
    const host = await openPrepared();
    const [domainName] = await leaveHalfLaunched(host, '1-abcdef012345');
    const before = await listTree(host.home.root);
    await writeFile(join(host.home.bases, '.half.1-abcdef012345.tmp'), 'half');
    const notices: string[] = [];
    const onEvent = (event: WorkEvent) => {
      if (event.type === 'notice') notices.push(event.message);
    };
    const { instance } = await launchInstance(host, request, { onEvent });
    expect(notices).toContainEqual(expect.stringContaining(`instance ${domainName ?? ''}`));
    expect(await host.hypervisor.listDomains()).toMatchObject([{ uuid: instance.uuid }]);
    expect(await listLitter(host, before)).toEqual([
      ...['', 'disk', 'disk.seed', 'domain.xml', 'instance.json'].map(
        (name) => `instances/${instance.domainName}/${name}`,
      ),
    ]);
  });

  it('is cleared once, by however many come at once', async () => {
    const host = await openPrepared();
    await leaveHalfLaunched(host, '1-abcdef012345');
    const cleared = await Promise.all(Array.from({ length: 6 }, () => clearLeftovers(host)));
    expect(cleared.flat()).toEqual(['instance itg-00000001']);
    expect(await host.hypervisor.listDomains()).toEqual([]);
  });

  it('one that is still at work is left alone', async () => {
    const host = await openPrepared();
    let seen: unknown;
    let cleared: unknown;
    await launchInstance(host, request, {
      onEvent: (event) => {
        if (event.type !== 'step-started' || event.step !== 'running') return;
        seen = listInstances(host);
        cleared = clearLeftovers(host);
      },
    });
    expect(await cleared).toEqual([]);
    expect(await seen).toMatchObject([{ status: expect.stringMatching(/BUILD|ACTIVE/) as unknown }]);
    expect(await listInstances(host)).toMatchObject([{ status: 'ACTIVE' }]);
  });

  it('what could not be cleared is tried again by the next command', async () => {
    const host = await openPrepared();
    await leaveHalfLaunched(host, '1-abcdef012345');
    host.hypervisor.failAt('destroyDomain');
    // Whether that is an error or a notice is not this test's question.
    await clearLeftovers(host).catch(() => []);
    expect(await host.hypervisor.listDomains()).toHaveLength(1);
    expect(await clearLeftovers(host)).toEqual(['instance itg-00000001']);
    expect(await host.hypervisor.listDomains()).toEqual([]);
  });

  it('one that cannot be cleared keeps no other from being cleared later', async () => {
    const host = await openPrepared();
    await leaveHalfLaunched(host, '1-aaaaaaaaaaaa', '2-bbbbbbbbbbbb', '3-cccccccccccc');
    host.hypervisor.failAt('findDomain');
    await clearLeftovers(host).catch(() => []);
    await clearLeftovers(host);
    expect(await host.hypervisor.listDomains()).toEqual([]);
  });

  it('invariant 9: one that cannot be cleared at all is listed, and keeps nobody from work', async () => {
    const host = await openPrepared();
    const [domainName] = await leaveHalfLaunched(host, '1-abcdef012345');
    host.hypervisor.failAt('destroyDomain', { always: true });
    expect(await listInstances(host)).toMatchObject([{ domainName }]);
    await launchInstance(host, request);
  });

  it('a delete that was killed after it renamed the directory', async () => {
    const host = await openPrepared();
    const { instance } = await launchInstance(host, request);
    const { directory } = host.home.instance(instance.domainName);
    const before = (await listTree(host.home.root)).filter((path) => !path.includes(instance.domainName));
    await rename(directory, join(host.home.instances, `.${instance.domainName}.1-abcdef012345.tmp`));
    await writeFile(host.home.lock('maker-1-abcdef012345'), '');
    await writeFile(host.home.lock(`instance-${instance.domainName}`), '{"pid":1,"action":"deleting it"}');
    expect(await deleteInstance(host, instance.domainName)).toMatchObject({ deleted: false });
    expect(await host.hypervisor.listDomains()).toEqual([]);
    expect(await listLitter(host, before)).toEqual([]);
  });

  it('files of others are left alone, whatever they are called', async () => {
    const host = await openPrepared();
    await writeFile(host.home.lock('maker-1-abcdef012345'), '');
    const strangers = ['instances/.disk.2-abcdef012345.tmp', 'images/notes.txt', 'instances/_base/README'];
    await mkdir(host.home.bases, { recursive: true });
    for (const name of strangers) await writeFile(join(host.home.root, name), 'mine');
    await clearLeftovers(host);
    for (const name of strangers) expect(await readFile(join(host.home.root, name), 'utf8')).toBe('mine');
  });
});
