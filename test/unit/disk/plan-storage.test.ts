import { describe, expect, it } from 'vitest';
import { forecastBytes, planStorage, type StorageFacts } from '../../../src/disk/plan-storage.js';

const gib = 1024 ** 3;
const ext4: StorageFacts = {
  fileSystem: 'ext4',
  isNetwork: false,
  reflink: false,
  directIo: true,
  sparse: true,
  freeBytes: 50 * gib,
  totalBytes: 100 * gib,
  freeInodes: 1_000_000,
};

describe('planStorage', () => {
  it('ext4: raw bases, shared by sizes, past the page cache', () => {
    expect(planStorage(ext4, undefined)).toMatchObject({
      baseFormat: 'raw',
      secondSize: 'share',
      cacheMode: 'none',
      warnings: [],
    });
  });

  it('a file system that can clone makes clones', () => {
    expect(planStorage({ ...ext4, fileSystem: 'xfs', reflink: true }, undefined).secondSize).toBe('clone');
  });

  it('without O_DIRECT the page cache is used', () => {
    expect(planStorage({ ...ext4, directIo: false }, undefined).cacheMode).toBe('writeback');
  });

  it('without holes bases are qcow2, unless raw is asked for, with a warning', () => {
    const vfat = { ...ext4, fileSystem: 'vfat', sparse: false, freeInodes: undefined };
    expect(planStorage(vfat, undefined)).toMatchObject({ baseFormat: 'qcow2', warnings: [] });
    const asked = planStorage(vfat, 'raw');
    expect(asked.baseFormat).toBe('raw');
    expect(asked.warnings.join()).toContain('whole virtual size');
  });

  it.each([
    [{ isNetwork: true, fileSystem: 'nfs' }, 'network file system'],
    [{ freeInodes: 12 }, 'only 12 files'],
    [{ freeBytes: gib }, 'only 1 GiB are free'],
  ])('warns: %j', (facts, warning) => {
    expect(planStorage({ ...ext4, ...facts }, undefined).warnings.join()).toContain(warning);
  });
});

describe('forecastBytes', () => {
  const overlay = {
    newBaseBytes: undefined,
    diskKind: 'overlay',
    baseDataBytes: gib,
    virtualSizeBytes: 20 * gib,
    preallocated: false,
    format: 'raw',
  } as const;
  const inGib = (needs: Parameters<typeof forecastBytes>[0], facts = ext4) =>
    Math.floor(forecastBytes(needs, facts) / gib);
  const cloning = { ...ext4, reflink: true };
  const dense = { ...ext4, sparse: false };

  it.each([
    ['an overlay on a base that is there', overlay, ext4, 0],
    ['a base to be made', { ...overlay, newBaseBytes: gib }, ext4, 1],
    ['a raw base without holes', { ...overlay, newBaseBytes: gib }, dense, 20],
    ['a qcow2 base without holes', { ...overlay, newBaseBytes: gib, format: 'qcow2' as const }, dense, 1],
    ['a raw copy', { ...overlay, diskKind: 'copy' as const }, ext4, 1],
    [
      'a raw copy of a base to be made',
      { ...overlay, newBaseBytes: gib, diskKind: 'copy' as const },
      ext4,
      2,
    ],
    ['a raw copy that is a clone', { ...overlay, diskKind: 'copy' as const }, cloning, 0],
    ['space taken at once', { ...overlay, preallocated: true }, ext4, 20],
    [
      'a copy with space taken at once',
      { ...overlay, diskKind: 'copy' as const, preallocated: true },
      ext4,
      20,
    ],
    [
      'a clone with space taken at once',
      { ...overlay, diskKind: 'copy' as const, preallocated: true },
      cloning,
      19,
    ],
  ])('%s', (_, needs, facts, expected) => {
    expect(inGib(needs, facts)).toBe(expected);
  });
});
