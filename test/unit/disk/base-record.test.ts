import { mkdir, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';

import {
  baseName,
  findBase,
  listBaseNames,
  listBases,
  type BaseRecord,
} from '../../../src/disk/base-record.js';
import { renderRecord } from '../../../src/host/record.js';
import { launchErrorOf } from '../host/launch-error-of.js';
import { newHome } from '../host/new-home.js';

const fedora = '1e6292f9-82bd-4cdb-969e-c863cb1c6692';
const other = 'fd0cb2f1-8375-44c9-b1f4-3e1f4c4a8ef0';

function sampleBase(imageId: string, diskGib: number): BaseRecord {
  return {
    name: baseName(imageId, diskGib),
    imageId,
    imageSha256: 'a'.repeat(64),
    virtualSizeBytes: diskGib * 1024 ** 3,
    digest: `sha256-1m:${'b'.repeat(64)}`,
    made: 'converted',
    createdAt: '2026-01-02T03:04:05.000Z',
    verifiedAt: '2026-01-02T03:04:05.000Z',
    seen: { modifiedNs: '1', sizeBytes: 1, inode: '1' },
  };
}

describe('invariant 1: the name of a base tells its content', () => {
  it('is Nova’s: the SHA-1 of the image’s id, and the disk’s GiB', () => {
    expect(baseName(other, 0)).toBe('0d5e6b61602d758984b3bf038267614d6016eb2a');
    expect(baseName(fedora, 20)).toBe('06a057b9c7b0b27e3b496f53d1e88810a0d1d5d3_20');
    expect(baseName(fedora, 0)).toBe('06a057b9c7b0b27e3b496f53d1e88810a0d1d5d3');
  });

  it('is the same however the id is written', () => {
    expect(baseName(fedora.toUpperCase(), 20)).toBe(baseName(fedora, 20));
  });
});

describe('the bases in place', () => {
  it('are none in a home that was never used', async () => {
    const home = await newHome();
    expect(await listBaseNames(home)).toEqual([]);
    expect(await listBases(home)).toEqual([]);
    expect(await findBase(home, baseName(fedora, 20))).toBeUndefined();
  });

  it('are found by their files, not by records, temporary names or what a stranger put there', async () => {
    const home = await newHome();
    const base = sampleBase(fedora, 20);
    await mkdir(home.bases, { recursive: true });
    const paths = home.base(base.name);
    await writeFile(paths.record, renderRecord(base));
    expect(await findBase(home, base.name)).toBeUndefined();
    await writeFile(paths.file, '');
    for (const name of [`.${base.name}.1-aa.tmp`, 'notes', base.name.slice(1), `${base.name}_x`])
      await writeFile(home.base(name).file, '');
    expect(await listBaseNames(home)).toEqual([base.name]);
    expect(await findBase(home, base.name)).toEqual(base);
  });

  it('are listed for one image, the one without a record by its name only', async () => {
    const home = await newHome();
    await mkdir(home.bases, { recursive: true });
    const bases = [sampleBase(fedora, 0), sampleBase(fedora, 20), sampleBase(other, 20)];
    for (const base of bases) {
      await writeFile(home.base(base.name).file, '');
      await writeFile(home.base(base.name).record, renderRecord(base));
    }
    await writeFile(home.base(baseName(fedora, 40)).file, '');
    expect(await listBaseNames(home)).toHaveLength(4);
    expect((await listBases(home, fedora)).map(({ name }) => name)).toEqual([
      baseName(fedora, 0),
      baseName(fedora, 20),
    ]);
    expect(await listBases(home)).toHaveLength(3);
  });

  it('are refused when the record is damaged: such a base cannot be trusted', async () => {
    const home = await newHome();
    await mkdir(home.bases, { recursive: true });
    const { file, record } = home.base(baseName(fedora, 20));
    await writeFile(file, '');
    await writeFile(record, '{');
    expect((await launchErrorOf(findBase(home, baseName(fedora, 20)))).code).toBe('RECORD_INVALID');
  });
});
