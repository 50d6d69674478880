import { join } from 'node:path';
import { ensureDirectory } from '../../host/files.js';
import { LaunchError } from '../../host/launch-error.js';
import { asMaker, type Maker } from '../../host/maker.js';
import type { Work } from '../../host/work.js';
import {
  architectures,
  hostArchitecture,
  readCatalogue,
  type Architecture,
  type CatalogueEntry,
} from '../../image/catalogue/catalogue.js';
import { readPublished, type PublishedImage } from '../../image/catalogue/published.js';
import { importImage } from '../../image/import-image.js';
import type { ImageRecord } from '../../image/image-record.js';
import { getImage, listImages, renameImage } from '../../image/image-store.js';
import { withEntryLock } from './catalogue-lock.js';
import { clearLeftovers } from '../clear-leftovers.js';
import type { Host } from '../open-host.js';

export interface CatalogueListing {
  readonly name: string;
  readonly title: string;
  readonly architectures: readonly Architecture[];
  /** `user`: from the home's catalogue.json. */
  readonly origin: 'launch' | 'user';
  /** Whether the publisher signs the digests. */
  readonly signed: boolean;
  /** The newest image that was fetched for it. */
  readonly imageId: string | null;
}

export async function listCatalogue(host: Host): Promise<readonly CatalogueListing[]> {
  const { images } = await listImages(host.home);
  return (await readCatalogue(host.home.catalogueFile)).map((entry) => ({
    name: entry.name,
    title: entry.title,
    architectures: architectures.filter((name) => entry.architectures[name] !== undefined),
    origin: entry.origin,
    signed: entry.keys.length > 0,
    imageId: newestOf(images, entry.name)?.id ?? null,
  }));
}

/**
 * The image of this name; one that is in the catalogue only is fetched, verified and imported first, once,
 * however many ask for it at the same time.
 *
 * @throws LaunchError IMAGE_NOT_FOUND, IMAGE_AMBIGUOUS, DOWNLOAD_FAILED, IMAGE_*, DISK_FULL
 */
export async function ensureImage(host: Host, reference: string, work: Work = {}): Promise<ImageRecord> {
  const image = await findStored(host, reference);
  if (image !== undefined) return image;
  const entry = await findEntry(host, reference);
  // Says what there is instead.
  if (entry === undefined) return await getImage(host.home, reference);
  return await withEntryLock(host, entry, work, async (lockedWork) => {
    // Another process may have fetched it while we waited.
    const fetched = await findStored(host, reference);
    if (fetched !== undefined) return fetched;
    const message = `"${entry.name}" is not here yet: fetching ${entry.title}`;
    work.onEvent?.({ type: 'notice', message });
    return await fetchEntry(host, entry, lockedWork, async (published, maker) =>
      importPublished(host, entry, published, maker, lockedWork),
    );
  });
}

/**
 * The image of this name, for work that changes nothing.
 *
 * @throws LaunchError IMAGE_NOT_FOUND, also for one that is in the catalogue only; IMAGE_AMBIGUOUS
 */
export async function getImageAtHand(host: Host, reference: string): Promise<ImageRecord> {
  const image = await findStored(host, reference);
  if (image !== undefined) return image;
  const entry = await findEntry(host, reference);
  if (entry === undefined) return await getImage(host.home, reference);
  throw new LaunchError(
    'IMAGE_NOT_FOUND',
    `the image "${entry.name}" is in the catalogue, but not here yet`,
    {
      hint: `fetch it:  launch image update ${entry.name}`,
    },
  );
}

export interface UpdatedImage {
  readonly image: ImageRecord;
  /** `current`: what is here is what is published. `fetched`: there was none. */
  readonly outcome: 'current' | 'fetched' | 'updated';
  /** The image that had the name before, under its new one. */
  readonly previous: ImageRecord | null;
}

/**
 * Imports what a catalogue entry's publisher has now, beside the image that is here, which gets the day it was
 * imported into its name. Instances stay on the image they were made of.
 *
 * @throws LaunchError IMAGE_EXISTS when an image that is not the catalogue's has the name; as ensureImage
 */
export async function updateImage(host: Host, name: string, work: Work = {}): Promise<UpdatedImage> {
  await clearLeftovers(host, work);
  const entry = await findEntry(host, name);
  if (entry === undefined) {
    throw new LaunchError('IMAGE_NOT_FOUND', `there is no ${JSON.stringify(name)} in the catalogue`, {
      hint: 'see what there is:  launch image catalogue',
    });
  }
  return await withEntryLock(host, entry, work, (lockedWork) =>
    fetchEntry(host, entry, lockedWork, async (published, maker) => {
      const { images } = await listImages(host.home);
      const before = newestOf(images, entry.name);
      refuseOwnName(images, entry.name);
      if (before !== undefined && before.verified?.digest === published.expected.digest) {
        return { image: before, outcome: 'current', previous: null };
      }
      const image = await importPublished(host, entry, published, maker, lockedWork);
      if (before === undefined) return { image, outcome: 'fetched', previous: null };
      // Only now: until here, and if we are killed here, the name means a whole image.
      const previous =
        before.name === entry.name
          ? await renameImage(host.home, before.id, await nameOfPrevious(host, before), maker)
          : before;
      return { image, outcome: 'updated', previous };
    }),
  );
}

async function findStored(host: Host, reference: string): Promise<ImageRecord | undefined> {
  try {
    return await getImage(host.home, reference);
  } catch (error) {
    if (error instanceof LaunchError && error.code === 'IMAGE_NOT_FOUND') return undefined;
    throw error;
  }
}

async function findEntry(host: Host, name: string): Promise<CatalogueEntry | undefined> {
  return (await readCatalogue(host.home.catalogueFile)).find((entry) => entry.name === name);
}

function newestOf(images: readonly ImageRecord[], name: string): ImageRecord | undefined {
  return images.findLast((image) => image.catalogue?.name === name);
}

/** An image that somebody gave the name himself: with another beside it the name would mean neither. */
function refuseOwnName(images: readonly ImageRecord[], name: string): void {
  const own = images.find((image) => image.name === name && image.catalogue?.name !== name);
  if (own === undefined) return;
  throw new LaunchError('IMAGE_EXISTS', `the image ${JSON.stringify(name)} here is not the catalogue's`, {
    hint: `give it another name first:  launch image rename ${own.id} NAME`,
    details: { id: own.id },
  });
}

/** `debian-12-20260101`, with a number after it when there is one already. */
async function nameOfPrevious(host: Host, image: ImageRecord): Promise<string> {
  const { images } = await listImages(host.home);
  const dated = `${image.name}-${image.createdAt.slice(0, 10).replaceAll('-', '')}`;
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? dated : `${dated}-${number}`;
    if (!images.some((other) => other.name === name)) return name;
  }
}

async function fetchEntry<T>(
  host: Host,
  entry: CatalogueEntry,
  work: Work,
  run: (published: PublishedImage, maker: Maker) => Promise<T>,
): Promise<T> {
  return await asMaker(host.home, async (maker) => {
    await ensureDirectory(host.home.images);
    const { runner, fetching } = host;
    const scratchDirectory = maker.temporaryPath(join(host.home.images, 'signature'));
    const tools = { runner, fetching, scratchDirectory };
    return await run(await readPublished(entry, ourArchitecture(entry), tools, work), maker);
  });
}

async function importPublished(
  host: Host,
  entry: CatalogueEntry,
  { files, expected }: PublishedImage,
  maker: Maker,
  work: Work,
): Promise<ImageRecord> {
  const { properties, minDiskGib, minRamMib } = entry;
  const request = {
    source: { url: files.url, allowHttp: entry.allowHttp },
    name: entry.name,
    expected: [expected],
    catalogue: { name: entry.name, architecture: ourArchitecture(entry) },
    properties,
    minDiskGib,
    minRamMib,
    createdAt: host.now(),
  };
  return await importImage(host.home, host, request, maker, work);
}

function ourArchitecture(entry: CatalogueEntry): Architecture {
  const architecture = hostArchitecture(process.arch);
  if (architecture !== undefined) return architecture;
  throw new LaunchError('IMAGE_NOT_FOUND', `the catalogue has no image "${entry.name}" for ${process.arch}`);
}
