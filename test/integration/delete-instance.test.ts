import { rm, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { pauseInstance, stopInstance } from '../../src/instance/change-state.js';
import { deleteInstance } from '../../src/instance/delete-instance.js';
import { launchInstance } from '../../src/instance/launch-instance.js';
import { listInstances } from '../../src/instance/list-instances.js';
import type { LaunchRequest } from '../../src/instance/plan-launch.js';
import {
  expectRefusal,
  importTiny,
  listTree,
  openIntegrationHost,
  type IntegrationHost,
} from '../support/integration-host.js';

const request: LaunchRequest = { image: 'tiny', flavor: 'm1.tiny', virtType: 'qemu' };

async function openPrepared(): Promise<IntegrationHost> {
  const host = await openIntegrationHost();
  await importTiny(host);
  return host;
}

async function instanceFiles(host: IntegrationHost): Promise<readonly string[]> {
  return (await listTree(host.home.instances)).filter((path) => !/^(_base|counter\.json)/.test(path));
}

describe('invariant 5: a delete', () => {
  it.each([
    ['running', () => Promise.resolve()],
    ['off', (host: IntegrationHost) => stopInstance(host, 'web', { timeoutMs: 0 })],
    ['paused', (host: IntegrationHost) => pauseInstance(host, 'web')],
  ] as const)('removes an instance that is %s, and nothing that another uses', async (_, prepare) => {
    const host = await openPrepared();
    const other = await launchInstance(host, { ...request, name: 'other' });
    const { basePath } = await launchInstance(host, { ...request, name: 'web' });
    await prepare(host);
    const before = await listTree(host.home.root);
    expect(await deleteInstance(host, 'web')).toEqual({ domainName: 'itg-00000002', deleted: true });
    expect(await listTree(host.home.root)).toEqual(before.filter((path) => !path.includes('itg-00000002')));
    expect(before).toContain(`instances/_base/${basePath.slice(host.home.bases.length + 1)}`);
    expect(await host.hypervisor.listDomains()).toMatchObject([
      { uuid: other.instance.uuid, state: 'running' },
    ]);
  });

  it('twice is fine, by the name that it had; a name that never was is not', async () => {
    const host = await openPrepared();
    await launchInstance(host, { ...request, name: 'web' });
    await deleteInstance(host, 'itg-00000001');
    expect(await deleteInstance(host, 'itg-00000001')).toEqual({
      domainName: 'itg-00000001',
      deleted: false,
    });
    for (const reference of [
      'itg-00000002',
      'itg-00000000',
      'web',
      '_base',
      '../images',
      'counter.json',
      '',
    ]) {
      await expectRefusal(deleteInstance(host, reference), 'INSTANCE_NOT_FOUND');
    }
    expect((await launchInstance(host, request)).instance.number).toBe(2);
  });

  it('by uuid, its start, or display name; a display name that two have is ambiguous', async () => {
    const host = await openPrepared();
    const { instance } = await launchInstance(host, { ...request, name: 'web' });
    await launchInstance(host, { ...request, name: 'web' });
    const error = await expectRefusal(deleteInstance(host, 'web'), 'INSTANCE_AMBIGUOUS');
    expect(error.details).toEqual({ domainNames: ['itg-00000001', 'itg-00000002'] });
    await expectRefusal(deleteInstance(host, instance.uuid.slice(0, 3)), 'INSTANCE_NOT_FOUND');
    await deleteInstance(host, instance.uuid.slice(0, 13));
    expect(await deleteInstance(host, 'web')).toMatchObject({ domainName: 'itg-00000002' });
    expect(await instanceFiles(host)).toEqual([]);
  });

  it('many at once of one: one does it, none fails', async () => {
    const host = await openPrepared();
    await launchInstance(host, request);
    const results = await Promise.all(Array.from({ length: 6 }, () => deleteInstance(host, 'itg-00000001')));
    expect(results.filter(({ deleted }) => deleted)).toHaveLength(1);
    expect((await listTree(host.home.locks)).filter((name) => !name.startsWith('image-'))).toEqual([]);
  });

  it('waits for the launch of the same instance to end', async () => {
    const host = await openPrepared();
    let deleting: Promise<unknown> = Promise.resolve();
    await launchInstance(host, request, {
      onEvent: (event) => {
        if (event.type === 'step-started' && event.step === 'running') {
          deleting = deleteInstance(host, 'itg-00000001');
        }
      },
    });
    expect(await deleting).toEqual({ domainName: 'itg-00000001', deleted: true });
    expect(await host.hypervisor.listDomains()).toEqual([]);
    expect(await instanceFiles(host)).toEqual([]);
  });

  it.each(['listDomains', 'findDomain', 'destroyDomain'] as const)(
    'that fails at %s leaves the instance, and works the next time',
    async (method) => {
      const host = await openPrepared();
      const { instance } = await launchInstance(host, request);
      if (method === 'listDomains') await rm(host.home.instance(instance.domainName).record);
      const before = await listTree(host.home.root);
      host.hypervisor.failAt(method);
      await expectRefusal(deleteInstance(host, instance.domainName), 'HYPERVISOR_FAILED');
      expect(await listTree(host.home.root)).toEqual(before);
      expect(await deleteInstance(host, instance.domainName)).toMatchObject({ deleted: true });
      expect(await host.hypervisor.listDomains()).toEqual([]);
    },
  );

  it('that fails at undefineDomain leaves the instance, and works the next time', async () => {
    const host = await openPrepared();
    const { instance } = await launchInstance(host, request);
    const before = await listTree(host.home.root);
    host.hypervisor.failAt('undefineDomain', { always: true });
    await expectRefusal(deleteInstance(host, instance.domainName), 'HYPERVISOR_FAILED');
    host.hypervisor.clearFaults();
    expect(await listTree(host.home.root)).toEqual(before);
    expect(await deleteInstance(host, instance.domainName)).toMatchObject({ deleted: true });
    expect(await host.hypervisor.listDomains()).toEqual([]);
  });

  it.each(['destroyDomain', 'undefineDomain'] as const)(
    'whose %s worked, though its answer was lost',
    async (method) => {
      const host = await openPrepared();
      const { instance } = await launchInstance(host, request);
      host.hypervisor.failAt(method, { when: 'after' });
      expect(await deleteInstance(host, instance.domainName)).toMatchObject({ deleted: true });
      expect(await host.hypervisor.listDomains()).toEqual([]);
    },
  );

  it('of an instance that libvirt and the user have taken to pieces', async () => {
    const host = await openPrepared();
    const { instance, diskPath } = await launchInstance(host, request);
    host.hypervisor.loseDomain(instance.uuid);
    await rm(diskPath);
    await rm(host.home.bases, { recursive: true });
    expect(await listInstances(host)).toMatchObject([{ status: 'ERROR' }]);
    expect(await deleteInstance(host, instance.domainName)).toMatchObject({ deleted: true });
    expect(await instanceFiles(host)).toEqual([]);
  });

  it('of an instance without a record touches no domain of its name whose disk is elsewhere', async () => {
    const host = await openPrepared();
    const { instance } = await launchInstance(host, request);
    host.hypervisor.loseDomain(instance.uuid);
    await writeFile(host.home.instance(instance.domainName).record, 'garbage');
    const foreign = await host.hypervisor.defineDomain(
      `<domain type="qemu"><name>${instance.domainName}</name><os><type>hvm</type></os><devices>
         <disk type="file" device="disk"><source file="/elsewhere/disk"/><target dev="vda"/></disk>
       </devices></domain>`,
    );
    expect(await deleteInstance(host, instance.domainName)).toMatchObject({ deleted: true });
    expect(await host.hypervisor.listDomains()).toEqual([foreign]);
  });
});
