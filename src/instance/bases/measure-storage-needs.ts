import { findServingBase } from '../../disk/ensure-base.js';
import { forecastBytes, planStorage, type StorageFacts, type StoragePlan } from '../../disk/plan-storage.js';
import { probeStorage } from '../../disk/probe-storage.js';
import { checkFreeSpace } from '../../host/file-system.js';
import { ensureDirectory, findFileStat } from '../../host/files.js';
import { asMaker, type Maker } from '../../host/maker.js';
import type { Work } from '../../host/work.js';
import type { Host } from '../open-host.js';
import type { LaunchPlan } from '../plan-launch.js';

export interface StorageDiagnosis {
  readonly directory: string;
  readonly facts: StorageFacts;
  readonly plan: StoragePlan;
}

/** What the file system of the bases can do, and what follows from it. */
export async function diagnoseStorage(host: Host): Promise<StorageDiagnosis> {
  const directory = host.home.bases;
  await ensureDirectory(directory);
  const facts = await asMaker(host.home, (maker) => probeStorage(directory, maker));
  return { directory, facts, plan: planStorage(facts, undefined) };
}

/**
 * Refuses a launch that would not fit, before anything is made: the base if it is missing, a raw copy, and
 * space that is taken at once.
 *
 * @throws LaunchError DISK_FULL with the bytes needed and free
 */
export async function checkLaunchFits(
  host: Host,
  plan: LaunchPlan,
  maker: Maker,
  work: Work = {},
): Promise<void> {
  const { home } = host;
  // A base of another size is as good as one of this: it is cloned, or used as it is. A damaged record is
  // ensureBase's to refuse.
  const serving = await findServingBase(home, plan.image, plan.baseName, plan.baseFormat).catch(
    () => undefined,
  );
  const preallocated = plan.disk.preallocation === 'falloc' || plan.disk.preallocation === 'full';
  await ensureDirectory(home.bases);
  // The common case asks nothing but how much is free: a launch on a base that is there is to be quick.
  const quick = serving !== undefined && plan.disk.kind === 'overlay' && !preallocated;
  const facts = quick ? { reflink: false, sparse: true } : await probeStorage(home.bases, maker);
  const dataBytes =
    serving === undefined
      ? await measureImageData(host, plan, work)
      : ((await findFileStat(home.base(serving.name).file))?.allocatedBytes ?? 0);
  const neededBytes = forecastBytes(
    {
      newBaseBytes: serving === undefined ? dataBytes : undefined,
      diskKind: plan.disk.kind,
      baseDataBytes: dataBytes,
      virtualSizeBytes: plan.disk.virtualSizeBytes,
      preallocated,
      format: plan.baseFormat,
    },
    facts,
  );
  await checkFreeSpace(home.bases, neededBytes, `launch ${JSON.stringify(plan.image.name)}`);
}

/** What a base of the image will hold. */
async function measureImageData(host: Host, plan: LaunchPlan, work: Work): Promise<number> {
  const { image } = plan;
  const extents = await host.qemuImg.map(host.home.image(image.id).file(image.format), image.format, work);
  return extents.filter(({ data }) => data).reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
}
