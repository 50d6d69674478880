import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { fileExists, listDirectory } from '../../../src/host/files.js';
import { tryTakeLock } from '../../../src/host/lock.js';
import {
  asMaker,
  LeftoversError,
  listTemporaryPaths,
  takeGoneMakers,
  type GoneMaker,
} from '../../../src/host/maker.js';
import type { HomePaths } from '../../../src/host/paths.js';
import { newHome } from './new-home.js';

async function goneMakers(home: HomePaths): Promise<readonly GoneMaker[]> {
  const found: GoneMaker[] = [];
  for await (const maker of takeGoneMakers(home)) found.push(maker);
  return found;
}

describe('invariant 2: what is half made says whose it is', () => {
  it('has a temporary name beside its destination, hidden, with the token of its maker', async () => {
    const home = await newHome();
    await asMaker(home, async (maker) => {
      const { disk } = home.instance('instance-00000001');
      const temporary = maker.temporaryPath(disk);
      expect(dirname(temporary)).toBe(dirname(disk));
      expect(basename(temporary)).toBe(`.disk.${maker.token}.tmp`);
      expect(maker.token).toMatch(new RegExp(`^${process.pid}-[0-9a-f]{12}$`));
    });
  });

  it('has another token in each run of a verb', async () => {
    const home = await newHome();
    const tokens = await Promise.all(
      Array.from({ length: 20 }, () => asMaker(home, async ({ token }) => token)),
    );
    expect(new Set(tokens).size).toBe(20);
  });

  it('is found by its token, and nothing of another maker or in place', async () => {
    const { root } = await newHome();
    for (const name of ['.disk.1-aa.tmp', '.disk.seed.1-aa.tmp', '.disk.11-aa.tmp', '.disk.2-bb.tmp', 'disk'])
      await writeFile(join(root, name), '');
    expect([...(await listTemporaryPaths(root, '1-aa'))].sort()).toEqual([
      join(root, '.disk.1-aa.tmp'),
      join(root, '.disk.seed.1-aa.tmp'),
    ]);
    expect(await listTemporaryPaths(join(root, 'nowhere'), '1-aa')).toEqual([]);
  });
});

describe('the lock of a maker', () => {
  it('is held while the work runs, and goes with it', async () => {
    const home = await newHome();
    const result = await asMaker(home, async (maker) => {
      const path = home.lock(`maker-${maker.token}`);
      expect(await listDirectory(home.locks)).toEqual([basename(path)]);
      expect(await tryTakeLock(path, { create: false })).toBeUndefined();
      return 'made';
    });
    expect(result).toBe('made');
    expect(await listDirectory(home.locks)).toEqual([]);
  });

  it('goes with work that fails and was undone, and the failure is passed on', async () => {
    const home = await newHome();
    const failure = new Error('no');
    await expect(asMaker(home, () => Promise.reject(failure))).rejects.toBe(failure);
    expect(await listDirectory(home.locks)).toEqual([]);
  });

  it('stays when something could not be undone, and the first failure is passed on', async () => {
    const home = await newHome();
    const failure = new Error('no');
    let token = '';
    const work = asMaker(home, async (maker) => {
      token = maker.token;
      throw new LeftoversError(failure);
    });
    await expect(work).rejects.toBe(failure);
    expect(await listDirectory(home.locks)).toEqual([`maker-${token}.lock`]);
    const gone = await goneMakers(home);
    expect(gone.map((maker) => maker.token)).toEqual([token]);
    await Promise.all(gone.map((maker) => maker.forget()));
  });
});

describe('invariant 2: the next command finds the makers that are gone', () => {
  it('finds none in a home that was never used', async () => {
    expect(await goneMakers(await newHome())).toEqual([]);
  });

  it('leaves alone who is still at work, and locks that are nobody’s token', async () => {
    const home = await newHome();
    await asMaker(home, async () => {
      await writeFile(home.lock('counter'), '');
      await writeFile(join(home.locks, 'maker-1-aa'), '');
      expect(await goneMakers(home)).toEqual([]);
    });
  });

  it('finds a killed one by a lock file that nobody holds, and forgets it when all is cleared', async () => {
    const home = await newHome();
    await mkdir(home.locks);
    await writeFile(home.lock('maker-4711-0123456789ab'), '');
    const [gone, ...others] = await goneMakers(home);
    expect(gone?.token).toBe('4711-0123456789ab');
    expect(others).toEqual([]);
    // Two commands never clear after the same maker.
    expect(await goneMakers(home)).toEqual([]);
    await gone?.forget();
    expect(await readdir(home.locks)).toEqual([]);
  });

  it('finds it again when it had to be kept', async () => {
    const home = await newHome();
    await mkdir(home.locks);
    const path = home.lock('maker-4711-0123456789ab');
    await writeFile(path, '');
    for (const maker of await goneMakers(home)) await maker.keep();
    expect(fileExists(path)).toBe(true);
    const again = await goneMakers(home);
    expect(again.map(({ token }) => token)).toEqual(['4711-0123456789ab']);
    for (const maker of again) await maker.forget();
  });
});
