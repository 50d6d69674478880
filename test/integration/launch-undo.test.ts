import { describe, expect, it } from 'vitest';
import { LaunchError } from '../../src/host/launch-error.js';
import type { Work, WorkEvent } from '../../src/host/work.js';
import { clearLeftovers } from '../../src/instance/clear-leftovers.js';
import { deleteInstance } from '../../src/instance/delete-instance.js';
import { launchInstance, type LaunchedInstance } from '../../src/instance/launch-instance.js';
import { listInstances } from '../../src/instance/list-instances.js';
import type { LaunchRequest } from '../../src/instance/plan-launch.js';
import type { HypervisorMethod } from '../support/fake-hypervisor.js';
import {
  expectRefusal,
  importTiny,
  listLitter,
  listTree,
  openIntegrationHost,
  type IntegrationHost,
} from '../support/integration-host.js';

const request: LaunchRequest = {
  ...{ image: 'tiny', flavor: 'm1.tiny', virtType: 'qemu' },
  networks: [{ kind: 'network', network: 'net1' }],
};

const kinds: readonly (readonly [string, LaunchRequest])[] = [
  ['an overlay', request],
  ['a raw copy', { ...request, cow: false, preallocation: 'falloc' }],
];

async function openPrepared(): Promise<IntegrationHost> {
  const host = await openIntegrationHost();
  host.hypervisor.addNetwork('net1', { active: false });
  await importTiny(host);
  return host;
}

/** Launches, and after a failure looks that nothing is there that was not there before. */
async function tryLaunch(
  host: IntegrationHost,
  wanted: LaunchRequest,
  work: Work = {},
): Promise<LaunchedInstance | LaunchError> {
  const before = await listTree(host.home.root);
  const outcome = await launchInstance(host, wanted, work).catch((error: unknown) => error);
  host.runner.clearFaults();
  // A plain Error would be a bug of ours.
  if (!(outcome instanceof LaunchError)) {
    if (outcome instanceof Error) throw outcome;
    return outcome as LaunchedInstance;
  }
  expect(await listLitter(host, before), outcome.message).toEqual([]);
  expect(await host.hypervisor.listDomains(), outcome.message).toEqual([]);
  expect(await listInstances(host)).toEqual([]);
  return outcome;
}

/** Makes the 1st, 2nd, … of something fail until a launch passes; the failures, in order. */
async function failInTurn(
  host: IntegrationHost,
  wanted: LaunchRequest,
  prepare: (turn: number) => Promise<Work | undefined> | Work | undefined,
): Promise<readonly LaunchError[]> {
  const failures: LaunchError[] = [];
  for (let turn = 1; ; turn += 1) {
    expect(turn).toBeLessThan(100);
    const work = await prepare(turn);
    const outcome = await tryLaunch(host, wanted, work);
    if (!(outcome instanceof LaunchError)) return failures;
    failures.push(outcome);
  }
}

describe.each(kinds)('invariant 5: a launch of %s that fails leaves nothing', (_, wanted) => {
  it.each(['before', 'after', 'disk-full'] as const)('when a command fails, %s', async (fault) => {
    const host = await openPrepared();
    const failures = await failInTurn(host, wanted, (turn) => {
      host.runner.failAt(turn, fault);
      return undefined;
    });
    // The image's map, the conversion, and what makes the disk or the digest's map: those two go on at
    // once, and the base that was made stays for the next turn.
    expect(failures.length).toBeGreaterThanOrEqual(3);
    for (const { code } of failures)
      expect(code).toBe(fault === 'disk-full' ? 'DISK_FULL' : 'COMMAND_FAILED');
    expect(await listInstances(host)).toMatchObject([{ status: 'ACTIVE' }]);
  });

  it.each(['before', 'after'] as const)('when a call of libvirt fails, %s', async (when) => {
    const host = await openPrepared();
    const failures: LaunchError[] = [];
    for (let turn = 1; ; turn += 1) {
      expect(turn).toBeLessThan(100);
      host.hypervisor.failAt(turn, { when });
      const outcome = await tryLaunch(host, wanted);
      if (outcome instanceof LaunchError) failures.push(outcome);
      // Past the last call: the fault was not met.
      else if (host.hypervisor.clearFaults()) break;
      // A network that is active after all is no failure.
      else await deleteInstance(host, outcome.instance.domainName);
    }
    expect(failures.length).toBeGreaterThanOrEqual(4);
    for (const { code } of failures) expect(code).toBe('HYPERVISOR_FAILED');
    expect(await listInstances(host)).toMatchObject([{ status: 'ACTIVE' }]);
  });

  it('when it is interrupted, at every event', async () => {
    const host = await openPrepared();
    const failures = await failInTurn(host, wanted, (turn) => interruptAt(turn));
    expect(failures.length).toBeGreaterThanOrEqual(10);
    for (const { code } of failures) expect(code).toBe('INTERRUPTED');
    expect(await listInstances(host)).toMatchObject([{ status: 'ACTIVE' }]);
  });
});

/** A signal that aborts when the nth event comes; of the progress of a step only the first counts. */
function interruptAt(turn: number, onEvent?: (event: WorkEvent) => void): Work {
  const controller = new AbortController();
  const seen = new Set<string>();
  return {
    signal: controller.signal,
    onEvent: (event) => {
      onEvent?.(event);
      const { type } = event;
      if (type === 'step-failed') return;
      switch (type) {
        case 'notice':
          seen.add(type + event.message);
          break;
        case 'span':
          seen.add(type + event.name);
          break;
        case 'step-started':
        case 'step-progress':
        case 'step-done':
          seen.add(type + event.step);
      }
      if (seen.size >= turn) controller.abort();
    },
  };
}

describe('invariant 5: an interruption', () => {
  it('while a command of a raw copy runs', async () => {
    const host = await openPrepared();
    const controller = new AbortController();
    const launching = tryLaunch(
      host,
      { ...request, cow: false },
      {
        signal: controller.signal,
        onEvent: (event) => {
          if (event.type === 'step-started' && event.step === 'disk') controller.abort();
        },
      },
    );
    expect(await launching).toMatchObject({ code: 'INTERRUPTED' });
  });

  it('before it began', async () => {
    const host = await openPrepared();
    const before = await listTree(host.home.root);
    const work = { signal: AbortSignal.abort() };
    await expectRefusal(launchInstance(host, request, work), 'INTERRUPTED');
    expect(await listLitter(host, before)).toEqual([]);
    expect(host.hypervisor.calls.map(({ method }) => method)).not.toContain('defineDomain');
  });

  it('while it waits for another launch that converts', async () => {
    const host = await openPrepared();
    const controller = new AbortController();
    const first = launchInstance(host, request, {
      onEvent: ({ type }) => {
        if (type === 'step-progress') controller.abort();
      },
    });
    await expectRefusal(launchInstance(host, request, { signal: controller.signal }), 'INTERRUPTED');
    const { instance } = await first;
    expect((await listInstances(host)).map(({ domainName }) => domainName)).toEqual([instance.domainName]);
  });

  it('leaves a number unused, and no number is given out twice', async () => {
    const host = await openPrepared();
    const controller = new AbortController();
    await tryLaunch(host, request, {
      signal: controller.signal,
      onEvent: (event) => {
        if (event.type === 'step-started' && event.step === 'overlay') controller.abort();
      },
    });
    const { instance } = await launchInstance(host, request);
    expect(instance.number).toBe(2);
  });
});

describe('an undo that fails itself', () => {
  async function launchAndFail(host: IntegrationHost, undo: HypervisorMethod): Promise<readonly string[]> {
    const notices: string[] = [];
    const onEvent = (event: WorkEvent) => {
      if (event.type === 'notice') notices.push(event.message);
    };
    // The guest is started, and then nothing is heard of libvirt's answer.
    host.hypervisor.failAt('startDomain', { when: 'after' });
    host.hypervisor.failAt(undo, { always: true });
    const error = await expectRefusal(launchInstance(host, request, { onEvent }), 'HYPERVISOR_FAILED');
    expect(error.message).toContain('a fault of the test');
    host.hypervisor.clearFaults();
    return notices;
  }

  it.each(['findDomain', 'destroyDomain', 'undefineDomain'] as const)(
    'because of %s is told, and the next command makes up for it',
    async (method) => {
      const host = await openPrepared();
      const before = await listTree(host.home.root);
      expect(await launchAndFail(host, method)).toContainEqual(
        expect.stringMatching(/could not undo: .*the domain itg-00000001.*; the next command tries again/),
      );
      await clearLeftovers(host);
      expect(await host.hypervisor.listDomains()).toEqual([]);
      expect(await listLitter(host, before)).toEqual([]);
    },
  );
});
