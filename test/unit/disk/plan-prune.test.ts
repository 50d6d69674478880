import { describe, expect, it } from 'vitest';
import { planPrune, type PruneCandidate } from '../../../src/disk/plan-prune.js';

const day = 86_400_000;
const nowMs = 100 * day;

function candidate(name: string, ageDays: number, more: Partial<PruneCandidate> = {}): PruneCandidate {
  return { name, givesBackBytes: 10, usedBy: [], lastUsedMs: nowMs - ageDays * day, ...more };
}

const any = { olderThanMs: 0, keepFreeBytes: undefined };

describe('planPrune', () => {
  it('removes what nothing uses, the longest unused first', () => {
    const plan = planPrune([candidate('b', 1), candidate('a', 5)], any, { nowMs, freeBytes: 0 });
    expect(plan).toEqual([
      { name: 'a', removes: true, reason: 'unused' },
      { name: 'b', removes: true, reason: 'unused' },
    ]);
  });

  it('invariant 6: keeps what anything uses, whatever its age and however full it is', () => {
    const used = candidate('used', 90, { usedBy: ['vm'] });
    expect(planPrune([used], { olderThanMs: 0, keepFreeBytes: 1000 }, { nowMs, freeBytes: 0 })).toEqual([
      { name: 'used', removes: false, reason: 'used' },
    ]);
  });

  it('keeps what was used since, to the millisecond', () => {
    const rule = { ...any, olderThanMs: 7 * day };
    const bases = [candidate('at', 7), candidate('after', 7, { lastUsedMs: nowMs - 7 * day + 1 })];
    expect(planPrune(bases, rule, { nowMs, freeBytes: 0 })).toEqual([
      { name: 'at', removes: true, reason: 'unused' },
      { name: 'after', removes: false, reason: 'recent' },
    ]);
  });

  it('removes no more than it takes to have enough free', () => {
    const bases = [candidate('young', 1), candidate('old', 9), candidate('older', 10)];
    const rule = { olderThanMs: 0, keepFreeBytes: 25 };
    expect(
      planPrune(bases, rule, { nowMs, freeBytes: 10 }).map(({ name, reason }) => [name, reason]),
    ).toEqual([
      ['older', 'unused'],
      ['old', 'unused'],
      ['young', 'enough-free'],
    ]);
    expect(planPrune(bases, rule, { nowMs, freeBytes: 25 }).every(({ removes }) => !removes)).toBe(true);
  });

  it('a clock that was set back makes nothing old', () => {
    const future = candidate('future', -3);
    const [decision] = planPrune([future], { ...any, olderThanMs: 1 }, { nowMs, freeBytes: 0 });
    expect(decision?.reason).toBe('recent');
  });
});
