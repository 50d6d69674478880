import { listBases, listBaseNames, type BaseRecord } from '../../disk/base-record.js';
import { removeBase } from '../../disk/remove-base.js';
import { findFileStat } from '../../host/files.js';
import { LaunchError } from '../../host/launch-error.js';
import { asMaker, type Maker } from '../../host/maker.js';
import { isUuid } from '../../host/names.js';
import type { Work } from '../../host/work.js';
import { importImage, type ImportRequest } from '../../image/import-image.js';
import type { ImageRecord } from '../../image/image-record.js';
import {
  getImage,
  listImages,
  removeImage as removeStoredImage,
  renameImage,
} from '../../image/image-store.js';
import { verifyImage } from '../../image/verify-image.js';
import { readFileUsers, realPathOf } from '../bases/base-users.js';
import { clearLeftovers } from '../clear-leftovers.js';
import type { Host } from '../open-host.js';
import { baseName } from '../../disk/base-record.js';

/** See importImage in image/import-image.ts. */
export async function importImageFile(
  host: Host,
  request: Omit<ImportRequest, 'createdAt'>,
  work: Work = {},
): Promise<ImageRecord> {
  await clearLeftovers(host, work);
  return await asMaker(host.home, (maker) =>
    importImage(host.home, host, { ...request, createdAt: host.now() }, maker, work),
  );
}

export async function renameImageTo(host: Host, reference: string, newName: string): Promise<ImageRecord> {
  return await asMaker(host.home, (maker) => renameImage(host.home, reference, newName, maker));
}

export interface ImageInspection {
  readonly image: ImageRecord;
  readonly path: string;
  readonly allocatedBytes: number;
  readonly bases: readonly BaseInspection[];
}

export interface BaseInspection extends BaseRecord {
  readonly path: string;
  readonly allocatedBytes: number;
  /** Domains and instances with this base in a chain. */
  readonly usedBy: readonly string[];
}

/** An image with its bases, and who is on each. */
export async function inspectImage(host: Host, reference: string): Promise<ImageInspection> {
  const image = await getImage(host.home, reference);
  const path = host.home.image(image.id).file(image.format);
  const users = await readFileUsers(host);
  const bases = await Promise.all(
    (await listBases(host.home, image.id)).map(async (base): Promise<BaseInspection> => {
      const { file } = host.home.base(base.name);
      return {
        ...base,
        path: file,
        allocatedBytes: (await findFileStat(file))?.allocatedBytes ?? 0,
        usedBy: users.get(await realPathOf(file)) ?? [],
      };
    }),
  );
  return { image, path, allocatedBytes: (await findFileStat(path))?.allocatedBytes ?? 0, bases };
}

export interface RemovedImage {
  readonly id: string;
  /** Its bases, which went with it. */
  readonly removedBases: readonly string[];
}

/**
 * Removes an image and its bases. Refused while anything is on one of them.
 *
 * @throws LaunchError IMAGE_IN_USE, IMAGE_NOT_FOUND, IMAGE_AMBIGUOUS
 */
export async function removeImage(host: Host, reference: string, work: Work = {}): Promise<RemovedImage> {
  await clearLeftovers(host, work);
  const id = await idToRemove(host, reference);
  return await asMaker(host.home, async (maker) => {
    const removedBases: string[] = [];
    await removeStoredImage(
      host.home,
      id,
      maker,
      async () => {
        removedBases.push(...(await removeBasesOf(host, id, reference, maker)));
      },
      work,
    );
    return { id, removedBases };
  });
}

/** A damaged image can be named by its whole id only. */
async function idToRemove(host: Host, reference: string): Promise<string> {
  const id = reference.toLowerCase();
  if (isUuid(id) && (await listImages(host.home)).damaged.some((image) => image.id === id)) return id;
  return (await getImage(host.home, reference)).id;
}

async function removeBasesOf(
  host: Host,
  imageId: string,
  reference: string,
  maker: Maker,
): Promise<readonly string[]> {
  const stem = baseName(imageId, 0);
  const names = (await listBaseNames(host.home)).filter((name) => name.startsWith(stem));
  const users = await readFileUsers(host);
  const using = new Set<string>();
  for (const name of names) {
    for (const user of users.get(await realPathOf(host.home.base(name).file)) ?? []) using.add(user);
  }
  if (using.size > 0) {
    const list = [...using].sort();
    throw new LaunchError(
      'IMAGE_IN_USE',
      `cannot remove the image ${JSON.stringify(reference)}: its base is used by ${list.join(', ')}`,
      { hint: `delete them first:  launch delete ${list.join(' ')}`, details: { usedBy: list } },
    );
  }
  for (const name of names) await removeBase(host.home, name, maker);
  return names;
}

/** See verifyImage in image/verify-image.ts. */
export async function verifyStoredImage(
  host: Host,
  reference: string,
  work: Work = {},
): Promise<{ readonly image: ImageRecord; readonly sha256: string }> {
  const image = await getImage(host.home, reference);
  const { sha256, matches } = await verifyImage(host.home, image, work);
  if (matches) return { image, sha256 };
  throw new LaunchError(
    'IMAGE_DIGEST_MISMATCH',
    `the image ${JSON.stringify(image.name)} is not what was imported: its file has sha256 ${sha256}, its record ${image.sha256}`,
    {
      hint: `import it again, then remove this one:  launch image remove ${image.id}`,
      details: { expected: image.sha256, found: sha256 },
    },
  );
}
