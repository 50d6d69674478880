import { describe, expect, it } from 'vitest';
import { renderBases, renderPrune, renderStorage } from '../../../src/cli/render-storage.js';
import type { PrunedBase } from '../../../src/instance/bases/prune-bases.js';

const now = new Date('2026-03-01T12:00:00Z');
const gib = 1024 ** 3;
const base: PrunedBase = {
  ...{ name: `${'a'.repeat(40)}_20`, path: '/b', image: { id: 'i', name: 'fedora-17' }, format: 'raw' },
  ...{ virtualSizeBytes: 20 * gib, allocatedBytes: gib, usedBy: [], digest: undefined, problem: undefined },
  ...{ lastUsedAt: '2026-03-01T10:00:00Z', verifiedAt: undefined, removed: true, reason: 'unused' },
};

describe('images of one name', () => {
  const ids = ['1e6292f9-82bd-4cdb-969e-c863cb1c6692', '2e6292f9-82bd-4cdb-969e-c863cb1c6692'];
  const of = (id: string, name = 'fedora-17') => ({ ...base, image: { id, name } });

  it('are told apart by their ids among the bases, where there are two', () => {
    const [first = '', second = ''] = ids;
    const text = renderBases([of(first), of(second), of('x', 'debian-12')], now);
    expect(text).toContain('| fedora-17 (1e6292f9) |');
    expect(text).toContain('| fedora-17 (2e6292f9) |');
    expect(text).toMatch(/\| debian-12 +\|/);
    expect(renderBases([of(first), of(first)], now)).not.toContain('(1e6292f9)');
  });

  it('are told apart by their ids in df', () => {
    const items = ids.map((id) => ({
      ...{ kind: 'image' as const, id, name: 'fedora-17', path: '/i', virtualSizeBytes: gib },
      ...{ allocatedBytes: gib, givesBackBytes: gib, usedBy: [] },
    }));
    const text = renderStorage({
      ...{ items, sharedBytes: 0, usedBytes: 2 * gib, fileSystem: 'ext4', directory: '/' },
      ...{ freeBytes: gib, totalBytes: 4 * gib },
    });
    expect(text).toContain('| fedora-17 (1e6292f9) |');
    expect(text).toContain('| fedora-17 (2e6292f9) |');
  });
});

describe('renderPrune', () => {
  const render = (freeGib: number, dryRun: boolean) =>
    renderPrune(
      { dryRun, bases: [base], removedBytes: gib, freeBytes: freeGib * gib },
      { olderThanMs: 0, keepFreeBytes: 20 * gib },
      now,
    );

  it('says how much is missing to what was to be kept free', () => {
    const bytes = 8 * gib;
    const missing = `that is 8 GiB (${bytes} bytes) less than 20 GiB: see where the space is:  launch df\n`;
    expect(render(12, false).endsWith(missing)).toBe(true);
    // What would go is not free yet.
    expect(render(11, true).endsWith(missing)).toBe(true);
  });

  it('says nothing of the kind when enough is free', () => {
    expect(render(20, false)).not.toContain('less than');
    expect(render(19, true)).not.toContain('less than');
  });
});
