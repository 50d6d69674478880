import { randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listImages } from '../../src/image/image-store.js';
import { deleteInstance } from '../../src/instance/delete-instance.js';
import { removeImage } from '../../src/instance/images/image-verbs.js';
import { launchInstance } from '../../src/instance/launch-instance.js';
import { listInstances } from '../../src/instance/list-instances.js';
import type { LaunchRequest } from '../../src/instance/plan-launch.js';
import { diskXml, foreignDomainXml, makeOverlay } from '../support/foreign-domain.js';
import {
  expectRefusal,
  importTiny,
  listTree,
  openIntegrationHost,
  snapshotTree,
  type IntegrationHost,
} from '../support/integration-host.js';

const request: LaunchRequest = { image: 'tiny', flavor: 'm1.tiny', virtType: 'qemu' };

/** An image with a base that nothing of ours is on. */
async function openWithIdleBase(): Promise<{ readonly host: IntegrationHost; readonly basePath: string }> {
  const host = await openIntegrationHost();
  await importTiny(host);
  const { basePath, instance } = await launchInstance(host, request);
  await deleteInstance(host, instance.domainName);
  return { host, basePath };
}

async function expectInUse(host: IntegrationHost, ...users: readonly string[]): Promise<void> {
  const before = await snapshotTree(host.home.root);
  const error = await expectRefusal(removeImage(host, 'tiny'), 'IMAGE_IN_USE');
  expect(error.details).toEqual({ usedBy: users });
  for (const user of users) expect(error.message).toContain(user);
  const kept = new Set(await snapshotTree(host.home.root));
  expect(before.filter((line) => !line.startsWith('locks/') && !kept.has(line))).toEqual([]);
}

describe('removing an image', () => {
  it('takes its bases with it, those of other images stay', async () => {
    const { host, basePath } = await openWithIdleBase();
    await importTiny(host, { name: 'other', seed: 2 });
    const other = await launchInstance(host, { ...request, image: 'other' });
    const removed = await removeImage(host, 'tiny');
    expect(removed.removedBases).toEqual([basePath.slice(host.home.bases.length + 1)]);
    expect((await listImages(host.home)).images.map(({ name }) => name)).toEqual(['other']);
    expect(await listTree(host.home.bases)).toEqual(
      ['', '.json'].map((end) => `${other.basePath.slice(host.home.bases.length + 1)}${end}`),
    );
    expect(await listTree(host.home.locks)).toEqual([`image-${other.instance.image.id}.lock`]);
    await expectRefusal(removeImage(host, 'tiny'), 'IMAGE_NOT_FOUND');
  });

  it('leaves an instance with a raw copy as it is', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const { instance } = await launchInstance(host, { ...request, cow: false });
    await removeImage(host, 'tiny');
    expect(await listInstances(host)).toMatchObject([{ domainName: instance.domainName, status: 'ACTIVE' }]);
  });

  it.each(['missing', 'garbled'])('a damaged one, whose record is %s, by its whole id only', async (how) => {
    const host = await openIntegrationHost();
    const image = await importTiny(host);
    const { record } = host.home.image(image.id);
    if (how === 'missing') await rm(record);
    else await writeFile(record, '{');
    expect(await listImages(host.home)).toMatchObject({ images: [], damaged: [{ id: image.id }] });
    await expectRefusal(removeImage(host, image.id.slice(0, 8)), 'IMAGE_NOT_FOUND');
    expect(await removeImage(host, image.id)).toMatchObject({ id: image.id });
    expect(await listImages(host.home)).toEqual({ images: [], damaged: [] });
  });

  it('two at once: one removes it, the other finds none', async () => {
    const { host } = await openWithIdleBase();
    const results = await Promise.allSettled([removeImage(host, 'tiny'), removeImage(host, 'tiny')]);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await listTree(host.home.images)).toEqual([]);
    expect(await listTree(host.home.bases)).toEqual([]);
    expect(results).toContainEqual({
      status: 'rejected',
      reason: expect.objectContaining({ name: 'LaunchError', code: 'IMAGE_NOT_FOUND' }) as unknown,
    });
  });
});

describe('invariant 6: no base is removed while anything points at it', () => {
  it('an instance of ours, whatever of it is left', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const { instance, diskPath } = await launchInstance(host, request);
    await expectInUse(host, instance.domainName);
    host.hypervisor.loseDomain(instance.uuid);
    await expectInUse(host, instance.domainName);
    await writeFile(host.home.instance(instance.domainName).record, '{');
    await expectInUse(host, instance.domainName);
    await rm(diskPath);
    await deleteInstance(host, instance.domainName);
    await removeImage(host, 'tiny');
  });

  it('a foreign domain, by its XML', async () => {
    const { host, basePath } = await openWithIdleBase();
    const { uuid } = await host.hypervisor.defineDomain(
      foreignDomainXml('foreign', [diskXml(basePath, 'raw')]),
    );
    await expectInUse(host, 'foreign');
    await host.hypervisor.undefineDomain(uuid);
    await removeImage(host, 'tiny');
  });

  it('a foreign domain, by the header of its disk; a volume', async () => {
    const { host, basePath } = await openWithIdleBase();
    const overlay = await makeOverlay(join(host.directory, 'overlay'), basePath);
    await host.hypervisor.defineDomain(foreignDomainXml('a', [diskXml(overlay, 'qcow2')]));
    host.hypervisor.addVolume('pool', 'overlay', overlay);
    const volume =
      '<disk type="volume" device="disk"><source pool="pool" volume="overlay"/><target dev="vda"/></disk>';
    await host.hypervisor.defineDomain(foreignDomainXml('b', [volume]));
    await expectInUse(host, 'a', 'b');
  });

  it('a running domain whose disk was attached for this run only', async () => {
    const { host, basePath } = await openWithIdleBase();
    const uuid = randomUUID();
    await host.hypervisor.defineDomain(foreignDomainXml('foreign', [diskXml(basePath, 'raw')], { uuid }));
    await host.hypervisor.startDomain(uuid);
    await host.hypervisor.defineDomain(foreignDomainXml('foreign', [], { uuid }));
    await expectInUse(host, 'foreign');
  });

  it('a running domain whose next start has the disk', async () => {
    const { host, basePath } = await openWithIdleBase();
    const uuid = randomUUID();
    await host.hypervisor.defineDomain(foreignDomainXml('foreign', [], { uuid }));
    await host.hypervisor.startDomain(uuid);
    await host.hypervisor.defineDomain(foreignDomainXml('foreign', [diskXml(basePath, 'raw')], { uuid }));
    await expectInUse(host, 'foreign');
  });

  it('a domain that vanishes while we look is nobody', async () => {
    const { host, basePath } = await openWithIdleBase();
    const { uuid } = await host.hypervisor.defineDomain(
      foreignDomainXml('foreign', [diskXml(basePath, 'raw')]),
    );
    const list = host.hypervisor.listDomains.bind(host.hypervisor);
    const domains = await list();
    host.hypervisor.loseDomain(uuid);
    host.hypervisor.listDomains = () => Promise.resolve(domains);
    await removeImage(host, 'tiny');
  });

  async function expectNothingRemoved(
    method: 'readDomainXml' | 'findVolumePath' | 'listDomains',
  ): Promise<void> {
    const { host, basePath } = await openWithIdleBase();
    host.hypervisor.addVolume('pool', 'base', basePath);
    const volume =
      '<disk type="volume" device="disk"><source pool="pool" volume="base"/><target dev="vda"/></disk>';
    await host.hypervisor.defineDomain(
      foreignDomainXml('foreign', [method === 'findVolumePath' ? volume : diskXml(basePath, 'raw')]),
    );
    const before = await listTree(host.home.images);
    host.hypervisor.failAt(method);
    await expectRefusal(removeImage(host, 'tiny'), 'HYPERVISOR_FAILED');
    expect(await listTree(host.home.images)).toEqual(before);
    expect(await listTree(host.home.bases)).toHaveLength(2);
  }

  it.each(['listDomains', 'findVolumePath'] as const)(
    'a libvirt that fails at %s: refused, nothing removed',
    expectNothingRemoved,
  );

  it('a libvirt that fails at readDomainXml: refused, nothing removed', async () => {
    await expectNothingRemoved('readDomainXml');
  });

  it('a launch and a removal at once: either the image is in use, or the launch finds none', async () => {
    for (const step of ['image', 'base', 'overlay', 'domain', 'image', 'base']) {
      const { host } = await openWithIdleBase();
      let removing: Promise<unknown> = Promise.resolve();
      const launched = await launchInstance(host, request, {
        onEvent: (event) => {
          if (event.type !== 'step-started' || event.step !== step) return;
          removing = removeImage(host, 'tiny').catch((error: unknown) => error);
        },
      }).catch((error: unknown) => error);
      const removed = await removing;
      if (launched instanceof Error) {
        expect(launched).toMatchObject({ name: 'LaunchError' });
        expect(removed).toMatchObject({ removedBases: [expect.any(String)] });
        expect(await listInstances(host)).toEqual([]);
        expect((await listTree(host.home.instances)).filter((path) => path.startsWith('itg'))).toEqual([]);
      } else {
        expect(removed).toMatchObject({ code: 'IMAGE_IN_USE' });
        expect(await listInstances(host)).toMatchObject([{ status: 'ACTIVE', problems: [] }]);
      }
    }
  });
});
