import { fileExists, writeFileAtomic } from '../host/files.js';
import { LaunchError } from '../host/launch-error.js';
import { asMaker, type Maker } from '../host/maker.js';
import { renderRecord } from '../host/record.js';
import { watchTimings, type Timings } from '../host/timings.js';
import { checkInterrupted, type Work } from '../host/work.js';
import { ensureBoxKey } from './login/box-login.js';
import { buildInstance, type BuiltInstance } from './build-instance.js';
import { ensureImage, getImageAtHand } from './images/catalogue-verbs.js';
import { clearLeftovers } from './clear-leftovers.js';
import { domainSpec, newRecord } from './instance-domain.js';
import { withInstanceLock } from './instance-lock.js';
import { peekNumber, reserveNumber } from './instance-number.js';
import { checkLaunchFits } from './bases/measure-storage-needs.js';
import { draftLaunch } from './launch-draft.js';
import { defaultNetworkOf, prepareInterfaces, previewInterfaces } from './networks/launch-networks.js';
import { askLibvirt } from './networks/libvirt-facts.js';
import { checkWait, defaultWait, waitForLaunched } from './readiness/launch-wait.js';
import { completeSeed } from './seed/launch-seed.js';
import type { Host } from './open-host.js';
import type { LaunchPlan, LaunchRequest } from './plan-launch.js';
import type { ReadyGuest } from './readiness/ready-guest.js';
import { refreshSshConfig } from './login/ssh-config-file.js';
import { UndoStack } from './undo.js';
import { cpuModesToTry } from './virt-type.js';

/** A launched instance, and what the wait for it has seen. */
export interface LaunchedInstance extends BuiltInstance, ReadyGuest {}

export interface LaunchPreview {
  readonly plan: LaunchPlan;
  readonly diskPath: string;
  readonly basePath: string;
  readonly baseExists: boolean;
  readonly domainXml: string;
}

/**
 * Boots an image: base, overlay, domain, start, in this order, each step undone when a later one fails or
 * the signal aborts.
 *
 * @throws LaunchError IMAGE_*, FLAVOR_*, NETWORK_NOT_FOUND, TEMPLATE_*, DISK_FULL, HYPERVISOR_*,
 * KVM_UNAVAILABLE, INTERRUPTED; WAIT_TIMEOUT, GUEST_FAILED and INSTANCE_STATE leave the instance as it is,
 * but with `rollback`
 */
export async function launchInstance(
  host: Host,
  request: LaunchRequest,
  given: Work = {},
): Promise<LaunchedInstance> {
  const timings = watchTimings(given);
  const { work } = timings;
  await clearLeftovers(host, work);
  const findFacts = askLibvirt(host, request.networks ?? [defaultNetworkOf(host.hypervisor.uri)]);
  const draft = await draftLaunch(host, request, work, () => ensureImage(host, request.image, work));
  // Whatever can be refused is refused before anything is made.
  const trial = draft.plan(host.nameTemplate.render(0));
  const wait = request.wait ?? defaultWait(trial.image, trial);
  checkWait(wait, trial);
  const interfaces = await prepareInterfaces(host, trial.interfaces, request.networks, findFacts, work);
  return await asMaker(host.home, async (maker) => {
    await checkLaunchFits(host, trial, maker, work);
    const number = await reserveNumber(host, maker, work);
    const plan = { ...draft.plan(host.nameTemplate.render(number)), interfaces };
    return await withInstanceLock(host, plan.domainName, 'launching it', work, async () => {
      const undo = new UndoStack();
      const launched = await undo.guard(work, async () => {
        const seed = await completeSeed(host, draft.seed, maker, work);
        await ensureBoxKey(host.home, plan.login.identityFile, maker);
        return await buildInstance({ host, maker, plan, number, template: draft.template, seed, undo, work });
      });
      return await finish(host, launched, { ...request, wait }, { undo, maker, timings });
    });
  });
}

/** What a launch would do, and the XML it would define; touches nothing. */
export async function previewLaunch(
  host: Host,
  request: LaunchRequest,
  work: Work = {},
): Promise<LaunchPreview> {
  const draft = await draftLaunch(host, request, work, () => getImageAtHand(host, request.image));
  const number = await peekNumber(host);
  const drafted = draft.plan(host.nameTemplate.render(number));
  const interfaces = await previewInterfaces(host, drafted.interfaces, number);
  const plan = { ...drafted, interfaces };
  const { disk } = host.home.instance(plan.domainName);
  const base = host.home.base(plan.baseName).file;
  const format = plan.disk.kind === 'overlay' ? 'qcow2' : 'raw';
  const record = newRecord(plan, {
    number: 0,
    format,
    base: plan.baseName,
    createdAt: host.now(),
    maker: null,
  });
  const { renderDomain } = await import('../domain/render-domain.js');
  const domainXml = renderDomain(
    draft.template.xml,
    domainSpec(host, record, cpuModesToTry(plan.virtType)[0], 'none'),
  );
  const baseExists = fileExists(base);
  return { plan, diskPath: disk, basePath: base, baseExists, domainXml };
}

interface Finishing {
  readonly undo: UndoStack;
  readonly maker: Maker;
  readonly timings: Timings;
}

/** Marks the launch as done, and waits for what was asked for. */
async function finish(
  host: Host,
  launched: BuiltInstance,
  request: LaunchRequest,
  { undo, maker, timings }: Finishing,
): Promise<LaunchedInstance> {
  const { work } = timings;
  const instance = { ...launched.instance, maker: null, timings: timings.read() };
  const paths = host.home.instance(instance.domainName);
  await undo.guard(work, async () => {
    checkInterrupted(work);
    await writeFileAtomic(paths.record, renderRecord(instance), maker);
  });
  await refreshSshConfig(host, work);
  const wait = request.wait ?? { kind: 'running' };
  try {
    const ready = await waitForLaunched(host, instance, wait, { request, work });
    // Who was let in without being known before: the next login need not find out again.
    const user = instance.login.user ?? ready.loginUser ?? null;
    const learned = { ...instance, login: { ...instance.login, user }, timings: timings.read() };
    if (wait.kind !== 'none' && wait.kind !== 'running') {
      await writeFileAtomic(paths.record, renderRecord(learned), maker);
    }
    return { ...launched, ...ready, instance: learned };
  } catch (error) {
    const interrupted = error instanceof LaunchError && error.code === 'INTERRUPTED';
    if (!interrupted && request.rollback !== true) throw error;
    return await undo.guard(work, () => Promise.reject(error as Error));
  }
}
