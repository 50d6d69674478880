import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { LaunchError } from '../../src/host/launch-error.js';
import type { WorkEvent } from '../../src/host/work.js';
import { launchMany, type ManyOptions } from '../../src/instance/launch-many.js';
import { listInstances } from '../../src/instance/list-instances.js';
import type { LaunchRequest } from '../../src/instance/plan-launch.js';
import { gib, importTiny, listTree, openIntegrationHost } from '../support/integration-host.js';

const request: LaunchRequest = { image: 'tiny', flavor: 'm1.tiny', virtType: 'qemu', name: 'web-%d' };
const capacity = { processors: 2, availableMemoryBytes: 64 * gib };

describe('many at once', () => {
  it('come up as they were asked for, never more at a time than the host bears, on one base', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    let starting = 0;
    let most = 0;
    host.hypervisor.onStart = async () => {
      starting += 1;
      most = Math.max(most, starting);
      await sleep(50);
      starting -= 1;
    };
    const events: WorkEvent[] = [];
    const many = await launchMany(
      host,
      request,
      { count: 7, parallel: 3, capacity },
      { onEvent: (event) => events.push(event) },
    );
    expect(many.failed).toEqual([]);
    expect(many.launched.map(({ instance }) => instance.displayName)).toEqual(
      [1, 2, 3, 4, 5, 6, 7].map((number) => `web-${number}`),
    );
    expect(most).toBe(3);
    const views = await listInstances(host);
    expect(views.map(({ status }) => status)).toEqual(Array.from({ length: 7 }, () => 'ACTIVE'));
    expect(new Set(views.map(({ record }) => record?.disk.base)).size).toBe(1);
    expect(events.filter(({ type }) => type === 'notice')).toEqual([
      { type: 'notice', message: 'launching 7 guests, 3 at a time' },
    ]);
    // One line each.
    const steps = events.filter((event) => event.type === 'step-started').map(({ step }) => step);
    expect(steps.sort()).toEqual([1, 2, 3, 4, 5, 6, 7].map((number) => `web-${number}`));
    expect(events.filter(({ type }) => type === 'step-done')).toHaveLength(7);
  });

  it('one that fails takes nothing with it', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    failToStart(host.hypervisor, 'web-2');
    const { launched, failed } = await launchMany(host, request, { count: 4, capacity });
    expect(launched.map(({ instance }) => instance.displayName)).toEqual(['web-1', 'web-3', 'web-4']);
    expect(failed).toMatchObject([{ number: 2, name: 'web-2', error: { code: 'HYPERVISOR_FAILED' } }]);
    expect((await listInstances(host)).map(({ record }) => record?.displayName)).not.toContain('web-2');
  });

  it('with atomic, none is left when one fails', async () => {
    const host = await openIntegrationHost();
    await importTiny(host);
    failToStart(host.hypervisor, 'web-5');
    const { launched, failed } = await launchMany(host, request, {
      count: 6,
      parallel: 2,
      atomic: true,
      capacity,
    });
    expect(launched).toEqual([]);
    expect(failed).toMatchObject([{ name: 'web-5' }]);
    await expectNothingLeft(host);
  });

  it.each([
    { atomic: false, left: 2 },
    { atomic: true, left: 0 },
  ])('interrupted with atomic $atomic: $left stay', async ({ atomic, left }) => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const controller = new AbortController();
    let done = 0;
    const error = await launchMany(
      host,
      request,
      { count: 5, parallel: 1, atomic, capacity },
      {
        signal: controller.signal,
        onEvent: (event) => {
          if (event.type === 'step-done') done += 1;
          if (done === 2 && event.type === 'step-started') controller.abort('SIGINT');
        },
      },
    ).catch((reason: unknown) => reason);
    if (!(error instanceof LaunchError)) throw error;
    expect(error.code).toBe('INTERRUPTED');
    expect(await host.hypervisor.listDomains()).toHaveLength(left);
    if (atomic) await expectNothingLeft(host);
    else expect(error.details).toEqual({ domainNames: ['itg-00000001', 'itg-00000002'] });
  });

  it.each<{ what: string; given: Partial<ManyOptions>; asked: Partial<LaunchRequest>; code: string }>([
    {
      what: 'memory',
      given: { capacity: { processors: 2, availableMemoryBytes: gib } },
      asked: {},
      code: 'MEMORY_SHORT',
    },
    { what: 'flavor', given: {}, asked: { flavor: 'none' }, code: 'FLAVOR_NOT_FOUND' },
    { what: 'name', given: {}, asked: { name: 'a\nb' }, code: 'NAME_INVALID' },
  ])('what refuses all of them alike makes nothing: $what', async ({ given, asked, code }) => {
    const host = await openIntegrationHost();
    await importTiny(host);
    const before = await listTree(host.home.root);
    const refused = launchMany(host, { ...request, ...asked }, { count: 3, capacity, ...given });
    await expect(refused).rejects.toMatchObject({ code });
    expect(await listTree(host.home.root)).toEqual(before);
    expect(host.hypervisor.calls.filter(({ method }) => method === 'defineDomain')).toEqual([]);
  });
});

function failToStart(
  hypervisor: Awaited<ReturnType<typeof openIntegrationHost>>['hypervisor'],
  name: string,
): void {
  hypervisor.onStart = (xml) => {
    if (xml.includes(`<title>${name}</title>`))
      throw new LaunchError('HYPERVISOR_FAILED', 'it does not start');
  };
}

async function expectNothingLeft(host: Awaited<ReturnType<typeof openIntegrationHost>>): Promise<void> {
  expect(await host.hypervisor.listDomains()).toEqual([]);
  expect(await listInstances(host)).toEqual([]);
  expect(
    (await listTree(host.home.instances)).filter((path) => path.startsWith('itg-') || path.startsWith('.')),
  ).toEqual([]);
}
