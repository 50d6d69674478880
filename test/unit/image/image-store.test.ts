import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { fileExists } from '../../../src/host/files.js';
import { LaunchError } from '../../../src/host/launch-error.js';
import { takeLock } from '../../../src/host/lock.js';
import { asMaker } from '../../../src/host/maker.js';
import type { HomePaths } from '../../../src/host/paths.js';
import { renderRecord } from '../../../src/host/record.js';
import type { ImageRecord } from '../../../src/image/image-record.js';
import {
  getImage,
  imageLockPath,
  listImages,
  removeImage,
  renameImage,
} from '../../../src/image/image-store.js';
import { launchErrorOf } from '../host/launch-error-of.js';
import { newHome } from '../host/new-home.js';
import { sampleImage } from './sample-image.js';

const first = sampleImage();
const second = sampleImage({
  id: '1e62ffff-82bd-4cdb-969e-c863cb1c6692',
  createdAt: '2026-01-01T00:00:00.000Z',
});
const third = sampleImage({ id: 'fd0cb2f1-8375-44c9-b1f4-3e1f4c4a8ef0', name: 'cirros' });

async function homeWith(...images: readonly ImageRecord[]) {
  const home = await newHome();
  for (const image of images) await store(home, image.id, renderRecord(image));
  return home;
}

async function store(home: HomePaths, id: string, record: string): Promise<void> {
  const paths = home.image(id);
  await mkdir(paths.directory, { recursive: true });
  await writeFile(paths.record, record);
  await writeFile(paths.file('qcow2'), 'content');
}

async function remove(home: HomePaths, id: string, beforeRemoval = async (): Promise<void> => undefined) {
  await asMaker(home, (maker) => removeImage(home, id, maker, beforeRemoval));
}

describe('listImages', () => {
  it('is empty in a home that was never used', async () => {
    expect(await listImages(await newHome())).toEqual({ images: [], damaged: [] });
  });

  it('gives the oldest first, and those of one moment by their ids', async () => {
    const home = await homeWith(third, first, second);
    expect((await listImages(home)).images.map(({ id }) => id)).toEqual([second.id, first.id, third.id]);
  });

  it('shows damaged records with their problem, and the sound ones beside them', async () => {
    const home = await homeWith(first);
    await store(home, second.id, '{"id":');
    await store(home, third.id, renderRecord({ ...third, format: 'qcow' }));
    const bare = 'aaaaaaaa-0000-4000-8000-000000000000';
    await mkdir(home.image(bare).directory);
    const { images, damaged } = await listImages(home);
    expect(images).toEqual([first]);
    expect(Object.fromEntries(damaged.map(({ id, problem }) => [id, problem]))).toEqual({
      [second.id]: `the record "${home.image(second.id).record}" is not JSON`,
      [third.id]: expect.stringContaining('is damaged at "format"') as string,
      [bare]: 'its record is missing',
    });
  });

  it('leaves out what is half made, and what a stranger put there', async () => {
    const home = await homeWith(first);
    for (const name of [`.${second.id}.1-aa.tmp`, 'notes', 'lost+found'])
      await mkdir(join(home.images, name));
    expect(await listImages(home)).toEqual({ images: [first], damaged: [] });
  });

  it.each([
    ['an id that is none', { id: 'nope' }],
    ['a digest that is none', { sha256: 'abc' }],
    ['a digest in capitals', { sha256: 'A'.repeat(64) }],
    ['a length below zero', { sizeBytes: -1 }],
    ['a property that is no text', { properties: { os: 7 } }],
    ['a field that nobody knows', { owner: 'me' }],
  ])('calls a record damaged that has %s', async (_what, change) => {
    const home = await newHome();
    await store(home, first.id, renderRecord({ ...first, ...change }));
    const { images, damaged } = await listImages(home);
    expect([images, damaged.length]).toEqual([[], 1]);
  });
});

describe('getImage', () => {
  it.each([
    ['id', third.id],
    ['id in capitals', third.id.toUpperCase()],
    ['name', 'cirros'],
    ['start of the id', 'fd0c'],
    ['start of the id in capitals', 'FD0CB2F1-8'],
  ])('finds by %s', async (_what, reference) => {
    expect(await getImage(await homeWith(first, second, third), reference)).toEqual(third);
  });

  it('lists the ids when many have the name', async () => {
    const error = await launchErrorOf(getImage(await homeWith(first, second, third), 'fedora-17'));
    expect([error.code, error.message]).toEqual(['IMAGE_AMBIGUOUS', 'there are 2 images called "fedora-17"']);
    expect(error.hint).toBe(
      `name one by its id:\n  ${second.id}  ${second.createdAt}\n  ${first.id}  ${first.createdAt}`,
    );
    expect(error.details).toEqual({ ids: [second.id, first.id] });
  });

  it('lists the ids when many start so', async () => {
    const error = await launchErrorOf(getImage(await homeWith(first, second), '1e62'));
    expect([error.code, error.details]).toEqual(['IMAGE_AMBIGUOUS', { ids: [second.id, first.id] }]);
  });

  it('prefers a name to the start of an id, and an id to a name', async () => {
    const named = { ...third, name: '1e6292f9' };
    expect(await getImage(await homeWith(first, named), '1e6292f9')).toEqual(named);
    const hostile = { ...third, name: first.id };
    expect(await getImage(await homeWith(first, hostile), first.id)).toEqual(first);
  });

  it.each(['1e6', '', '----', 'fedora', 'FEDORA-17', '*', '.'])(
    'does not guess from %j',
    async (reference) => {
      const error = await launchErrorOf(getImage(await homeWith(first, second, third), reference));
      expect([error.code, error.message]).toEqual([
        'IMAGE_NOT_FOUND',
        `there is no image ${JSON.stringify(reference)}`,
      ]);
      expect(error.hint).toBe(
        'there are: fedora-17, cirros\nand what can be fetched by its name:  launch image catalogue',
      );
    },
  );

  it('says how to begin when there are none', async () => {
    const error = await launchErrorOf(getImage(await newHome(), 'fedora-17'));
    expect(error.hint).toBe(
      'import one first:  launch image import FILE --name NAME\nor see what can be fetched by its name:  launch image catalogue',
    );
  });

  it('invariant 7: never takes a reference for a path', async () => {
    const home = await homeWith(first);
    await writeFile(join(home.root, 'image.json'), renderRecord(first));
    for (const reference of ['..', '.', '../images', `../images/${first.id}`, `${first.id}/.`, '/'])
      expect((await launchErrorOf(getImage(home, reference))).code).toBe('IMAGE_NOT_FOUND');
  });

  it('refuses a damaged one that is named by its id', async () => {
    const home = await newHome();
    await store(home, first.id, '{');
    expect((await launchErrorOf(getImage(home, first.id))).code).toBe('RECORD_INVALID');
  });
});

describe('renameImage', () => {
  it('changes the name and nothing else', async () => {
    const home = await homeWith(first, third);
    const renamed = await asMaker(home, (maker) => renameImage(home, 'cirros', 'cirros/old ..', maker));
    expect(renamed).toEqual({ ...third, name: 'cirros/old ..' });
    expect(await getImage(home, 'cirros/old ..')).toEqual(renamed);
    expect((await listImages(home)).images).toHaveLength(2);
  });

  it('refuses a name that cannot be printed, and keeps the old one', async () => {
    const home = await homeWith(third);
    const error = await launchErrorOf(asMaker(home, (maker) => renameImage(home, 'cirros', 'a\nb', maker)));
    expect(error.code).toBe('NAME_INVALID');
    expect(await getImage(home, 'cirros')).toEqual(third);
  });
});

describe('removeImage', () => {
  it('removes the directory and the lock, and no other image', async () => {
    const home = await homeWith(first, third);
    await remove(home, third.id);
    expect(await readdir(home.images)).toEqual([first.id]);
    expect(await readdir(home.locks)).toEqual([]);
  });

  it('invariant 6: removes nothing when what runs before it refuses', async () => {
    const home = await homeWith(first);
    const refusal = new LaunchError('IMAGE_IN_USE', 'in use');
    await expect(remove(home, first.id, () => Promise.reject(refusal))).rejects.toBe(refusal);
    expect(await getImage(home, first.id)).toEqual(first);
    expect(await readdir(home.locks)).toEqual([]);
  });

  it('invariant 6: waits while a launch holds the image', async () => {
    const home = await homeWith(first);
    const lock = await takeLock(imageLockPath(home, first.id), { shared: true });
    let asked = false;
    const removal = remove(home, first.id, async () => {
      asked = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect([asked, fileExists(home.image(first.id).directory)]).toEqual([false, true]);
    await lock.release();
    await removal;
    expect([asked, fileExists(home.image(first.id).directory)]).toEqual([true, false]);
  });

  // Two `image remove` at once: the second waits for the lock, and then there is nothing to rename.
  it('invariant 5: deleting what another has just deleted is fine, or refused with a reason', async () => {
    const home = await homeWith(first);
    const removal = remove(home, first.id, async () => {
      await rm(home.image(first.id).directory, { recursive: true });
    });
    const error: unknown = await removal.catch((reason: unknown) => reason);
    if (error !== undefined) expect(error).toBeInstanceOf(LaunchError);
  });
});
