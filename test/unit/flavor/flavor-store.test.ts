import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';

import { createFlavor, getFlavor, listFlavors, removeFlavor } from '../../../src/flavor/flavor-store.js';
import { checkFlavor, presetFlavors, type Flavor } from '../../../src/flavor/flavor.js';
import { asMaker } from '../../../src/host/maker.js';
import type { HomePaths } from '../../../src/host/paths.js';
import { launchErrorOf } from '../host/launch-error-of.js';
import { newHome } from '../host/new-home.js';

const ci: Flavor = { name: 'ci', memoryMib: 1024, vcpus: 2, diskGib: 10 };

async function create(home: HomePaths, flavor: Flavor) {
  return await asMaker(home, (maker) => createFlavor(home, flavor, maker));
}

async function remove(home: HomePaths, name: string): Promise<void> {
  await asMaker(home, (maker) => removeFlavor(home, name, maker));
}

async function ownNames(home: HomePaths): Promise<readonly string[]> {
  return (await listFlavors(home)).filter(({ origin }) => origin === 'own').map(({ name }) => name);
}

describe('the presets', () => {
  it('are Nova’s, and there in a home that was never used', async () => {
    const home = await newHome();
    expect(
      (await listFlavors(home)).map(({ name, memoryMib, vcpus, diskGib, origin }) => [
        name,
        memoryMib,
        vcpus,
        diskGib,
        origin,
      ]),
    ).toEqual([
      ['m1.tiny', 512, 1, 1, 'preset'],
      ['m1.small', 2048, 1, 20, 'preset'],
      ['m1.medium', 4096, 2, 40, 'preset'],
      ['m1.large', 8192, 4, 80, 'preset'],
      ['m1.xlarge', 16384, 8, 160, 'preset'],
    ]);
    expect(await readdir(home.root)).toEqual([]);
  });

  it('stay: none can be removed', async () => {
    const home = await newHome();
    const error = await launchErrorOf(remove(home, 'm1.small'));
    expect([error.code, error.message]).toEqual([
      'FLAVOR_INVALID',
      'the flavor "m1.small" is a preset and stays',
    ]);
  });

  it('cannot be made again', async () => {
    const error = await launchErrorOf(create(await newHome(), { ...ci, name: 'm1.small' }));
    expect(error.code).toBe('FLAVOR_EXISTS');
  });

  // `launch flavor remove m1.small` is refused: the hint must not send people there.
  it('are not offered for removal when one is made again', async () => {
    const error = await launchErrorOf(create(await newHome(), { ...ci, name: 'm1.small' }));
    expect(error.hint ?? '').not.toContain('flavor remove');
  });

  it('pass their own check', () => {
    for (const flavor of presetFlavors) expect(checkFlavor(flavor)).toBe(flavor);
  });
});

describe('flavors of one’s own', () => {
  it('are made, found and removed, and leave the file and no lock', async () => {
    const home = await newHome();
    expect(await create(home, ci)).toEqual({ ...ci, origin: 'own' });
    expect(await getFlavor(home, 'ci')).toEqual({ ...ci, origin: 'own' });
    expect((await listFlavors(home)).at(-1)).toEqual({ ...ci, origin: 'own' });
    await remove(home, 'ci');
    expect(await ownNames(home)).toEqual([]);
    expect([...(await readdir(home.root))].sort()).toEqual(['flavors.json', 'locks']);
    expect(await readdir(home.locks)).toEqual([]);
  });

  it('keep all that many launches make at once', async () => {
    const home = await newHome();
    const names = Array.from({ length: 10 }, (_, index) => `ci-${index}`);
    await Promise.all(names.map((name) => create(home, { ...ci, name })));
    expect([...(await ownNames(home))].sort()).toEqual(names);
  });

  it('are not made twice under one name, also at once', async () => {
    const home = await newHome();
    const results = await Promise.allSettled([create(home, ci), create(home, ci)]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const error = await launchErrorOf(create(home, ci));
    expect([error.code, error.hint]).toEqual(['FLAVOR_EXISTS', 'remove it first:  launch flavor remove ci']);
    expect(await ownNames(home)).toEqual(['ci']);
  });

  it('that nobody has are refused with the names that there are', async () => {
    const home = await newHome();
    await create(home, ci);
    for (const work of [getFlavor(home, 'nope'), remove(home, 'nope')]) {
      const error = await launchErrorOf(work);
      expect([error.code, error.message]).toEqual(['FLAVOR_NOT_FOUND', 'there is no flavor "nope"']);
      expect(error.hint).toBe('there are: m1.tiny, m1.small, m1.medium, m1.large, m1.xlarge, ci');
    }
  });

  it.each([
    ['not JSON', '{'],
    ['a list', '[]'],
    [
      'a flavor with a field that nobody knows',
      '{"flavors":[{"name":"a","memoryMib":1,"vcpus":1,"diskGib":0,"x":1}]}',
    ],
    ['a flavor without memory', '{"flavors":[{"name":"a","memoryMib":0,"vcpus":1,"diskGib":0}]}'],
  ])('are refused when their file is %s, and it is not written over', async (_what, content) => {
    const home = await newHome();
    await writeFile(home.flavorsFile, content);
    for (const work of [listFlavors(home), create(home, ci)]) {
      expect((await launchErrorOf(work)).code).toBe('RECORD_INVALID');
    }
    expect(await readFile(home.flavorsFile, 'utf8')).toBe(content);
  });

  it('make nothing half when the file cannot be written', async () => {
    const home = await newHome();
    await mkdir(home.flavorsFile);
    expect((await launchErrorOf(create(home, ci))).code).toBe('FILE_SYSTEM');
    expect([...(await readdir(home.root))].sort()).toEqual(['flavors.json', 'locks']);
    expect(await readdir(home.locks)).toEqual([]);
  });
});

describe('invariant 7: a flavor is checked before it is kept', () => {
  it.each([
    ['memory', { memoryMib: 0 }, 'the memory must be a whole number from 1 to 16777216 MiB, not 0'],
    ['memory', { memoryMib: 1.5 }, 'the memory must be a whole number from 1 to 16777216 MiB, not 1.5'],
    ['memory', { memoryMib: NaN }, 'the memory must be a whole number from 1 to 16777216 MiB, not NaN'],
    [
      'memory',
      { memoryMib: 2 ** 24 + 1 },
      'the memory must be a whole number from 1 to 16777216 MiB, not 16777217',
    ],
    ['vCPUs', { vcpus: 0 }, 'the number of vCPUs must be a whole number from 1 to 1024, not 0'],
    ['vCPUs', { vcpus: 1025 }, 'the number of vCPUs must be a whole number from 1 to 1024, not 1025'],
    ['disk', { diskGib: -1 }, 'the disk must be a whole number from 0 to 65536 GiB, not -1'],
    ['disk', { diskGib: Infinity }, 'the disk must be a whole number from 0 to 65536 GiB, not Infinity'],
  ])('refuses %s out of its limits', async (_what, change, message) => {
    const home = await newHome();
    const error = await launchErrorOf(create(home, { ...ci, ...change }));
    expect([error.code, error.message]).toEqual(['FLAVOR_INVALID', message]);
    expect(await ownNames(home)).toEqual([]);
  });

  it.each([{ memoryMib: 1 }, { memoryMib: 2 ** 24 }, { vcpus: 1024 }, { diskGib: 0 }, { diskGib: 65536 }])(
    'takes the limits themselves: %j',
    (change) => {
      const flavor = { ...ci, ...change };
      expect(checkFlavor(flavor)).toBe(flavor);
    },
  );

  it.each(['', '-rf', 'a\nb', 'a\u202eb'])('refuses the name %j', async (name) => {
    expect((await launchErrorOf(create(await newHome(), { ...ci, name }))).code).toBe('NAME_INVALID');
  });
});
