import { setTimeout as sleep } from 'node:timers/promises';
import { findBase, markUsed } from '../disk/base-record.js';
import { checkBase } from '../disk/verify-base.js';
import { fileExists, readTextFile } from '../host/files.js';
import { LaunchError } from '../host/launch-error.js';
import { asMaker } from '../host/maker.js';
import { checkInterrupted, runStep, type Work } from '../host/work.js';
import type { DomainState } from '../libvirt/hypervisor.js';
import { clearLeftovers } from './clear-leftovers.js';
import { checkInterfaces, startOnPorts } from './networks/launch-networks.js';
import { getInstance } from './find-instance.js';
import { isActive } from './forget-domain.js';
import { checkSeed } from './seed/show-seed.js';
import { withInstanceLock } from './instance-lock.js';
import type { InstanceRecord } from './instance-record.js';
import type { Host } from './open-host.js';

export interface ChangedInstance {
  readonly instance: InstanceRecord;
  readonly domainState: DomainState;
  /** false: it was so already. */
  readonly changed: boolean;
}

/**
 * Starts an instance that is off, on a base that is what it was. A domain that was undefined behind our
 * back is defined again from the copy that was kept.
 *
 * @throws LaunchError BASE_CHANGED, DISK_MISSING, INSTANCE_STATE, NETWORK_NOT_FOUND, HYPERVISOR_FAILED
 */
export async function startInstance(
  host: Host,
  reference: string,
  work: Work = {},
): Promise<ChangedInstance> {
  return await onInstance(host, reference, 'starting it', work, async (instance) => {
    const state = await findState(host, instance);
    if (state === 'paused')
      throw wrongState(instance, state, 'start', `launch resume ${instance.domainName}`);
    if (state !== undefined && isActive(state)) return { instance, domainState: state, changed: false };
    await checkDisk(host, instance, work);
    await checkInterfaces(host, instance, work);
    if (state === undefined) await defineAgain(host, instance);
    await runStep(
      work,
      'running',
      `starting ${instance.domainName}`,
      () => startOnPorts(host, instance),
      () => instance.domainName,
    );
    return { instance, domainState: await getState(host, instance), changed: true };
  });
}

const powerButtonEveryMs = 5000;
const pollMs = 100;

/**
 * Asks the guest to power off, and pulls the plug when it has not done so in time.
 *
 * @param options.timeoutMs how long the guest may take; 0 pulls the plug at once
 * @returns `graceful` false when the plug was pulled
 */
export async function stopInstance(
  host: Host,
  reference: string,
  options: { readonly timeoutMs: number },
  work: Work = {},
): Promise<ChangedInstance & { readonly graceful: boolean }> {
  return await onInstance(host, reference, 'stopping it', work, async (instance) => {
    const state = await getState(host, instance);
    if (!isActive(state)) return { instance, domainState: state, changed: false, graceful: true };
    // A paused guest cannot hear the power button.
    const canAnswer = options.timeoutMs > 0 && state !== 'paused' && state !== 'pmsuspended';
    const graceful =
      canAnswer &&
      (await runStep(
        work,
        'shutdown',
        `asking ${instance.domainName} to power off`,
        () => powerOff(host, instance, options.timeoutMs, work),
        (answered) =>
          answered ? 'the guest powered off' : `no answer in ${Math.round(options.timeoutMs / 1000)} s`,
      ));
    if (!graceful) {
      await runStep(
        work,
        'stopped',
        `pulling the plug of ${instance.domainName}`,
        () => host.hypervisor.destroyDomain(instance.uuid),
        () => 'the plug was pulled',
      );
    }
    // A domain that was undefined while it ran is gone when it stops.
    const domainState = (await findState(host, instance)) ?? 'shut off';
    return { instance, domainState, changed: true, graceful };
  });
}

/**
 * Reboots a guest: through ACPI, which the guest carries out when it likes, or `hard`, by a new start.
 *
 * @throws LaunchError INSTANCE_STATE when it does not run
 */
export async function rebootInstance(
  host: Host,
  reference: string,
  options: { readonly hard: boolean },
  work: Work = {},
): Promise<ChangedInstance> {
  return await onInstance(host, reference, 'rebooting it', work, async (instance) => {
    const state = await getState(host, instance);
    if (state !== 'running' && !(options.hard && isActive(state))) {
      throw wrongState(instance, state, 'reboot', `launch start ${instance.domainName}`);
    }
    if (options.hard) {
      // Before the plug is pulled: what cannot start again had better run on.
      await checkDisk(host, instance, work);
      await host.hypervisor.destroyDomain(instance.uuid);
      await startOnPorts(host, instance);
    } else {
      await host.hypervisor.rebootDomain(instance.uuid);
    }
    return { instance, domainState: await getState(host, instance), changed: true };
  });
}

/** @throws LaunchError INSTANCE_STATE when it does not run */
export async function pauseInstance(
  host: Host,
  reference: string,
  work: Work = {},
): Promise<ChangedInstance> {
  return await onInstance(host, reference, 'pausing it', work, async (instance) => {
    const state = await getState(host, instance);
    if (state === 'paused') return { instance, domainState: state, changed: false };
    if (state !== 'running')
      throw wrongState(instance, state, 'pause', `launch start ${instance.domainName}`);
    await host.hypervisor.suspendDomain(instance.uuid);
    return { instance, domainState: await getState(host, instance), changed: true };
  });
}

/** @throws LaunchError INSTANCE_STATE when it is off */
export async function resumeInstance(
  host: Host,
  reference: string,
  work: Work = {},
): Promise<ChangedInstance> {
  return await onInstance(host, reference, 'resuming it', work, async (instance) => {
    const state = await getState(host, instance);
    if (state === 'running') return { instance, domainState: state, changed: false };
    if (state !== 'paused' && state !== 'pmsuspended') {
      throw wrongState(instance, state, 'resume', `launch start ${instance.domainName}`);
    }
    await host.hypervisor.resumeDomain(instance.uuid);
    return { instance, domainState: await getState(host, instance), changed: true };
  });
}

async function onInstance<T>(
  host: Host,
  reference: string,
  action: string,
  work: Work,
  run: (instance: InstanceRecord) => Promise<T>,
): Promise<T> {
  await clearLeftovers(host, work);
  const { domainName } = await getInstance(host, reference);
  return await withInstanceLock(host, domainName, action, work, async () =>
    // Another verb may have deleted it while we waited.
    run(await getInstance(host, domainName)),
  );
}

async function findState(host: Host, instance: InstanceRecord): Promise<DomainState | undefined> {
  return (await host.hypervisor.findDomain(instance.uuid))?.state;
}

async function getState(host: Host, instance: InstanceRecord): Promise<DomainState> {
  const state = await findState(host, instance);
  if (state !== undefined) return state;
  throw new LaunchError('DOMAIN_NOT_FOUND', `libvirt has no domain for ${instance.domainName} any more`, {
    hint: `define and start it again:  launch start ${instance.domainName}    or:  launch delete ${instance.domainName}`,
  });
}

function wrongState(instance: InstanceRecord, state: DomainState, verb: string, cure: string): LaunchError {
  return new LaunchError('INSTANCE_STATE', `cannot ${verb} ${instance.domainName}: it is ${state}`, {
    hint: cure,
    details: { domainState: state },
  });
}

async function checkDisk(host: Host, instance: InstanceRecord, work: Work): Promise<void> {
  const { disk } = host.home.instance(instance.domainName);
  if (!fileExists(disk)) {
    throw new LaunchError(
      'DISK_MISSING',
      `cannot start ${instance.domainName}: its disk "${disk}" is missing`,
      {
        hint: `it cannot be mended:  launch delete ${instance.domainName}`,
        details: { path: disk },
      },
    );
  }
  await checkSeed(host, instance);
  if (instance.disk.base === null) return;
  const base = await findBase(host.home, instance.disk.base);
  if (base === undefined) {
    const { file } = host.home.base(instance.disk.base);
    throw new LaunchError(
      'DISK_MISSING',
      `cannot start ${instance.domainName}: its base "${file}" is missing`,
      {
        hint: `without it the disk has no content:  launch delete ${instance.domainName}`,
        details: { path: file },
      },
    );
  }
  await asMaker(host.home, (maker) =>
    checkBase(host.home, base, host.qemuImg, { maker, now: host.now(), work }),
  );
  await markUsed(host.home, base.name, host.now());
}

async function defineAgain(host: Host, instance: InstanceRecord): Promise<void> {
  const { domainXml } = host.home.instance(instance.domainName);
  const xml = readTextFile(domainXml);
  if (xml === undefined) {
    throw new LaunchError(
      'DOMAIN_NOT_FOUND',
      `libvirt has no domain for ${instance.domainName}, and its copy is gone`,
      {
        hint: `launch delete ${instance.domainName}`,
        details: { path: domainXml },
      },
    );
  }
  await host.hypervisor.defineDomain(xml);
}

async function powerOff(
  host: Host,
  instance: InstanceRecord,
  timeoutMs: number,
  work: Work,
): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  let nextPress = 0;
  for (;;) {
    checkInterrupted(work);
    const now = performance.now();
    // A guest that is still booting does not hear the first press.
    if (now >= nextPress) {
      nextPress = now + powerButtonEveryMs;
      if (!(await press(host, instance))) return true;
    }
    if (!isActive((await findState(host, instance)) ?? 'shut off')) return true;
    if (now >= deadline) return false;
    await sleep(pollMs);
  }
}

/** @returns false when the guest was off already */
async function press(host: Host, instance: InstanceRecord): Promise<boolean> {
  try {
    await host.hypervisor.shutdownDomain(instance.uuid);
    return true;
  } catch (error) {
    if (isActive((await findState(host, instance)) ?? 'shut off')) throw error;
    return false;
  }
}
