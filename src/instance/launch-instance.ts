import { renderDomain } from '../domain/render-domain.js';
import { fileExists, writeFileAtomic } from '../host/files.js';
import { LaunchError } from '../host/launch-error.js';
import { asMaker, type Maker } from '../host/maker.js';
import { renderRecord } from '../host/record.js';
import { checkInterrupted, type Work } from '../host/work.js';
import { buildInstance, type BuiltInstance } from './build-instance.js';
import { ensureImage, getImageAtHand } from './catalogue-verbs.js';
import { clearLeftovers } from './clear-leftovers.js';
import { domainSpec, newRecord } from './instance-domain.js';
import { ensureNetwork } from './ensure-network.js';
import { withInstanceLock } from './instance-lock.js';
import { peekNumber, reserveNumber } from './instance-number.js';
import { checkLaunchFits } from './measure-storage-needs.js';
import { draftLaunch } from './launch-draft.js';
import { waitForLine } from './launch-wait.js';
import type { Host } from './open-host.js';
import type { LaunchPlan, LaunchRequest, WaitFor } from './plan-launch.js';
import { UndoStack } from './undo.js';
import { cpuModesToTry } from './virt-type.js';

export interface LaunchedInstance extends BuiltInstance {
  /** The line that `--wait console=` waited for. */
  readonly consoleLine: string | undefined;
}

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
 * KVM_UNAVAILABLE, INTERRUPTED; WAIT_TIMEOUT and INSTANCE_STATE leave the instance as it is
 */
export async function launchInstance(
  host: Host,
  request: LaunchRequest,
  work: Work = {},
): Promise<LaunchedInstance> {
  await clearLeftovers(host, work);
  const draft = await draftLaunch(host, request, work, () => ensureImage(host, request.image, work));
  // Whatever can be refused is refused before anything is made.
  const trial = draft.plan(host.nameTemplate.render(0));
  if (trial.network !== undefined) await ensureNetwork(host.hypervisor, trial.network.name, work);
  return await asMaker(host.home, async (maker) => {
    await checkLaunchFits(host, trial, maker, work);
    const number = await reserveNumber(host, maker, work);
    const plan = draft.plan(host.nameTemplate.render(number));
    return await withInstanceLock(host, plan.domainName, 'launching it', work, async () => {
      const undo = new UndoStack();
      const launched = await undo.guard(work, () =>
        buildInstance({ host, maker, plan, number, template: draft.template, undo, work }),
      );
      return await finish(host, launched, request, undo, maker, work);
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
  const plan = draft.plan(host.nameTemplate.render(await peekNumber(host)));
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
  const domainXml = renderDomain(
    draft.template.xml,
    domainSpec(host, record, cpuModesToTry(plan.virtType)[0], 'none'),
  );
  const baseExists = await fileExists(base);
  return { plan, diskPath: disk, basePath: base, baseExists, domainXml };
}

/** Marks the launch as done, and waits for what was asked for. */
async function finish(
  host: Host,
  launched: BuiltInstance,
  request: LaunchRequest,
  undo: UndoStack,
  maker: Maker,
  work: Work,
): Promise<LaunchedInstance> {
  const instance = { ...launched.instance, maker: null };
  const paths = host.home.instance(instance.domainName);
  await undo.guard(work, async () => {
    checkInterrupted(work);
    await writeFileAtomic(paths.record, renderRecord(instance), maker);
  });
  const wait: WaitFor = request.wait ?? { kind: 'running' };
  if (wait.kind !== 'console') return { ...launched, instance, consoleLine: undefined };
  try {
    const consoleLine = await waitForLine(host, instance, wait.pattern, request.timeoutMs, work);
    return { ...launched, instance, consoleLine };
  } catch (error) {
    if (error instanceof LaunchError && error.code === 'INTERRUPTED') {
      return await undo.guard(work, () => Promise.reject(error));
    }
    throw error;
  }
}
