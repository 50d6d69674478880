import { describe, expect, it } from 'vitest';
import { sideBySide } from '../../../src/host/side-by-side.js';

describe('sideBySide', () => {
  it('keeps the order of the items, and never has more than the limit under way', async () => {
    let underWay = 0;
    let most = 0;
    const results = await sideBySide([5, 1, 4, 2, 3], 2, async (item) => {
      most = Math.max(most, (underWay += 1));
      for (let turn = 0; turn < item; turn += 1) await Promise.resolve();
      underWay -= 1;
      return item * 10;
    });
    expect(results).toEqual([50, 10, 40, 20, 30]);
    expect(most).toBe(2);
  });

  it('throws the first failure when what was under way has ended, and begins nothing more', async () => {
    const begun: number[] = [];
    const ended: number[] = [];
    const work = sideBySide([0, 1, 2, 3], 2, async (item) => {
      begun.push(item);
      if (item === 1) throw new Error('one');
      for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
      ended.push(item);
    });
    await expect(work).rejects.toThrow('one');
    expect(begun).toEqual([0, 1]);
    expect(ended).toEqual([0]);
  });

  it('does nothing for no items', async () => {
    expect(await sideBySide([], 4, () => Promise.reject(new Error('never')))).toEqual([]);
  });
});
