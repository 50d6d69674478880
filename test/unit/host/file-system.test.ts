import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { checkFreeSpace, supportsDirectIo, tryReflink } from '../../../src/host/file-system.js';
import { asMaker } from '../../../src/host/maker.js';
import { launchErrorOf } from './launch-error-of.js';
import { newHome } from './new-home.js';

describe('invariant 10: free space is checked before it is used', () => {
  it('lets through what fits', async () => {
    const { root } = await newHome();
    await checkFreeSpace(root, 0, 'do nothing');
    await checkFreeSpace(root, 1, 'write a byte');
  });

  it('says how much was needed, and where', async () => {
    const { root } = await newHome();
    const error = await launchErrorOf(checkFreeSpace(root, 2 ** 60, 'convert "fedora-17" to raw'));
    expect(error.code).toBe('DISK_FULL');
    expect(error.message).toMatch(
      /^cannot convert "fedora-17" to raw: it needs 1 EiB in ".*", and .* are free$/,
    );
    expect(error.details).toMatchObject({ path: root, neededBytes: 2 ** 60 });
    expect(error.hint).toContain('launch image list');
  });

  it('refuses a directory that is not there', async () => {
    const { root } = await newHome();
    expect((await launchErrorOf(checkFreeSpace(join(root, 'no'), 1, 'write'))).code).toBe('FILE_SYSTEM');
  });
});

describe('supportsDirectIo', () => {
  it('answers and leaves nothing', async () => {
    const home = await newHome();
    await asMaker(home, async (maker) => {
      expect(typeof (await supportsDirectIo(home.root, maker))).toBe('boolean');
    });
    expect(await readdir(home.root)).toEqual(['locks']);
  });

  it('refuses a directory that is not there', async () => {
    const home = await newHome();
    const error = await asMaker(home, (maker) => launchErrorOf(supportsDirectIo(home.images, maker)));
    expect(error.code).toBe('FILE_SYSTEM');
  });
});

describe('tryReflink', () => {
  it('makes a whole clone, or nothing where the file system cannot', async () => {
    const { root } = await newHome();
    const [from, to] = [join(root, 'from'), join(root, 'to')];
    await writeFile(from, 'content');
    const cloned = await tryReflink(from, to);
    expect(await readdir(root)).toEqual(cloned ? ['from', 'to'] : ['from']);
    if (cloned) expect(await readFile(to, 'utf8')).toBe('content');
  });

  it('refuses a source that is not there', async () => {
    const { root } = await newHome();
    const error = await launchErrorOf(tryReflink(join(root, 'from'), join(root, 'to')));
    expect(error.code).toBe('FILE_SYSTEM');
    expect(await readdir(root)).toEqual([]);
  });

  // The clearing up after EEXIST removes a file that the clone did not make.
  it('touches nothing that was there before', async () => {
    const { root } = await newHome();
    const [from, to] = [join(root, 'from'), join(root, 'to')];
    await writeFile(from, 'content');
    await writeFile(to, 'precious');
    expect((await launchErrorOf(tryReflink(from, to))).code).toBe('FILE_SYSTEM');
    expect(await readFile(to, 'utf8')).toBe('precious');
  });
});
