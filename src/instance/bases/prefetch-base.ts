import type { BaseFormat } from '../../disk/base-format.js';
import { chooseBaseFormat } from '../../disk/probe-storage.js';
import { baseOriginWords, type BaseOrigin } from '../../disk/base-origin.js';
import { ensureBase, type EnsuredBase } from '../../disk/ensure-base.js';
import { settleBase } from '../../disk/settle-base.js';
import type { Flavor } from '../../flavor/flavor.js';
import { getFlavor } from '../../flavor/flavor-store.js';
import { findFileStat } from '../../host/files.js';
import { asMaker } from '../../host/maker.js';
import { formatBytes } from '../../host/units.js';
import { runStep, type Work } from '../../host/work.js';
import type { ImageRecord } from '../../image/image-record.js';
import { clearLeftovers } from '../clear-leftovers.js';
import { ensureImage } from '../images/catalogue-verbs.js';
import type { Host } from '../open-host.js';
import { checkImageFits } from '../plan-launch.js';

export interface PrefetchRequest {
  /** Id, name, or start of the id; or a name of the catalogue, which is fetched. */
  readonly image: string;
  readonly flavors: readonly string[];
  /** Root disk in GiB instead of the flavor's; 0 means the image's own size. */
  readonly diskGib?: number | undefined;
  /** By default what suits the file system, nearly always raw. */
  readonly baseFormat?: BaseFormat | undefined;
}

/** Sizes in bytes. */
export interface PrefetchedBase {
  readonly name: string;
  readonly path: string;
  readonly origin: BaseOrigin;
  readonly virtualSizeBytes: number;
  readonly allocatedBytes: number;
  readonly digest: string | null;
}

/**
 * Makes the bases that launches of this image and these flavors would need, and reads them; one that is there is
 * only marked as used.
 *
 * @returns one a flavor, in their order
 * @throws LaunchError IMAGE_NOT_FOUND, FLAVOR_NOT_FOUND, FLAVOR_TOO_SMALL, DISK_FULL, BASE_CHANGED, and what
 * fetching an image throws
 */
export async function prefetchBases(
  host: Host,
  request: PrefetchRequest,
  work: Work = {},
): Promise<readonly PrefetchedBase[]> {
  await clearLeftovers(host, work);
  const flavors: Flavor[] = [];
  for (const name of request.flavors) {
    const stored = await getFlavor(host.home, name);
    flavors.push({ ...stored, diskGib: request.diskGib ?? stored.diskGib });
  }
  const image = await ensureImage(host, request.image, work);
  for (const flavor of flavors) checkImageFits(image, flavor);
  const made: PrefetchedBase[] = [];
  for (const { diskGib } of flavors) {
    made.push(await prefetchBase(host, image, diskGib, request.baseFormat, work));
  }
  return made;
}

async function prefetchBase(
  host: Host,
  image: ImageRecord,
  diskGib: number,
  baseFormat: BaseFormat | undefined,
  work: Work,
): Promise<PrefetchedBase> {
  return await asMaker(host.home, async (maker) => {
    const options = { maker, now: host.now(), work };
    const format = baseFormat ?? (await chooseBaseFormat(host.home.bases));
    const ensured = await runStep(
      work,
      'base',
      `looking for the base of ${image.name}`,
      (onProgress) =>
        ensureBase(host.home, image, diskGib, host.qemuImg, {
          ...options,
          onProgress,
          format,
          deferSettling: true,
        }),
      describeEnsured,
    );
    try {
      const { base, path, origin } = ensured;
      const { digest } =
        base.digest === null
          ? await runStep(
              work,
              'digest',
              'reading the new base',
              (progress) =>
                settleBase(host.home, base, host.qemuImg, {
                  ...options,
                  onBytes: (done, total) => {
                    progress('reading the new base', done, total);
                  },
                }),
              (settled) => settled.digest?.slice(0, 24) ?? '',
            )
          : base;
      const allocatedBytes = (await findFileStat(path))?.allocatedBytes ?? 0;
      const { name, virtualSizeBytes } = base;
      return { name, path, origin, virtualSizeBytes, allocatedBytes, digest };
    } finally {
      await ensured.lock.release();
    }
  });
}

function describeEnsured({ base, origin }: EnsuredBase): string {
  const name = `_base/${base.name.slice(0, 8)}…${base.name.slice(40)}`;
  return `${name}, ${formatBytes(base.virtualSizeBytes)}, ${baseOriginWords[origin]}`;
}
