import { rename } from 'node:fs/promises';
import { fileExists, listDirectory, removeTree, writeFileAtomic } from '../host/files.js';
import { LaunchError } from '../host/launch-error.js';
import { takeLock } from '../host/lock.js';
import type { Maker } from '../host/maker.js';
import { checkName, isUuid } from '../host/names.js';
import type { HomePaths } from '../host/paths.js';
import { readRecord, renderRecord } from '../host/record.js';
import { fileSystemError } from '../host/system-error.js';
import type { Work } from '../host/work.js';
import { imageRecordSchema, type ImageRecord } from './image-record.js';

/** An image whose record cannot be read: it is shown, and can be removed by its id. */
export interface DamagedImage {
  readonly id: string;
  readonly problem: string;
}

export interface ImageListing {
  readonly images: readonly ImageRecord[];
  readonly damaged: readonly DamagedImage[];
}

/** All images, the oldest first. */
export async function listImages(home: HomePaths): Promise<ImageListing> {
  const images: ImageRecord[] = [];
  const damaged: DamagedImage[] = [];
  for (const id of (await listDirectory(home.images)).filter(isUuid)) {
    try {
      const record = readRecord(home.image(id).record, imageRecordSchema);
      if (record === undefined) damaged.push({ id, problem: 'its record is missing' });
      else images.push(record);
    } catch (error) {
      if (!(error instanceof LaunchError)) throw error;
      damaged.push({ id, problem: error.message });
    }
  }
  images.sort((a, b) => a.createdAt.localeCompare(b.createdAt) || a.id.localeCompare(b.id));
  return { images, damaged };
}

async function findImageById(home: HomePaths, id: string): Promise<ImageRecord | undefined> {
  return isUuid(id) ? readRecord(home.image(id.toLowerCase()).record, imageRecordSchema) : undefined;
}

/**
 * The image of this id, of this name if only one has it, or whose id starts so. Of several that were fetched
 * for the catalogue's entry of this name the newest: an update leaves two for a moment.
 *
 * @throws LaunchError IMAGE_NOT_FOUND, IMAGE_AMBIGUOUS
 */
export async function getImage(home: HomePaths, reference: string): Promise<ImageRecord> {
  const byId = await findImageById(home, reference);
  if (byId !== undefined) return byId;
  const { images } = await listImages(home);
  const named = images.filter((image) => image.name === reference);
  const found = named.length > 0 ? named : images.filter((image) => isStartOfId(reference, image.id));
  const [first, ...others] = found;
  if (first === undefined) throw imageNotFound(reference, images);
  if (others.length === 0) return first;
  const newest = found.at(-1);
  if (
    newest !== undefined &&
    named.length > 0 &&
    found.every((image) => image.catalogue?.name === reference)
  ) {
    return newest;
  }
  throw new LaunchError(
    'IMAGE_AMBIGUOUS',
    `there are ${found.length} images called ${JSON.stringify(reference)}`,
    {
      hint: ['name one by its id:', ...found.map((image) => `  ${image.id}  ${image.createdAt}`)].join('\n'),
      details: { ids: found.map((image) => image.id) },
    },
  );
}

/** Keeps an image and its bases from being removed while something is made of them; shared by launches. */
export function imageLockPath(home: HomePaths, imageId: string): string {
  return home.lock(`image-${imageId}`);
}

export async function renameImage(
  home: HomePaths,
  reference: string,
  newName: string,
  maker: Maker,
): Promise<ImageRecord> {
  const renamed = { ...(await getImage(home, reference)), name: checkName('image', newName) };
  await writeFileAtomic(home.image(renamed.id).record, renderRecord(renamed), maker);
  return renamed;
}

/**
 * Removes an image's directory; `beforeRemoval` runs under the image's lock and may refuse by throwing.
 * First it gets a temporary name, so that a removal that is cut short is finished by the next command.
 */
export async function removeImage(
  home: HomePaths,
  id: string,
  maker: Maker,
  beforeRemoval: () => Promise<void>,
  work: Work = {},
): Promise<void> {
  const lock = await takeLock(imageLockPath(home, id), { work });
  try {
    const { directory } = home.image(id);
    // Another removal may have been first.
    if (!fileExists(directory)) throw imageNotFound(id, (await listImages(home)).images);
    await beforeRemoval();
    const doomed = maker.temporaryPath(directory);
    await rename(directory, doomed).catch((error: unknown) => {
      throw fileSystemError('remove', directory, error);
    });
    await removeTree(doomed);
  } finally {
    await lock.release({ remove: true });
  }
}

function isStartOfId(reference: string, id: string): boolean {
  // Shorter ones are too easily hit by a mistyped name.
  return reference.length >= 4 && /^[0-9a-f-]+$/i.test(reference) && id.startsWith(reference.toLowerCase());
}

function imageNotFound(reference: string, images: readonly ImageRecord[]): LaunchError {
  return new LaunchError('IMAGE_NOT_FOUND', `there is no image ${JSON.stringify(reference)}`, {
    hint:
      images.length === 0
        ? 'import one first:  launch image import FILE --name NAME\nor see what can be fetched by its name:  launch image catalogue'
        : `there are: ${[...new Set(images.map((image) => image.name))].join(', ')}\nand what can be fetched by its name:  launch image catalogue`,
  });
}
