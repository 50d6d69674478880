import { describe, expect, it } from 'vitest';

import { measureInTurn, rotated, spreadOf, summarize } from '../../../bench/measure.js';

describe('spreadOf', () => {
  it.each([
    [[3], { median: 3, minimum: 3, maximum: 3 }],
    [[4, 1, 3], { median: 3, minimum: 1, maximum: 4 }],
    [[4, 1, 3, 2], { median: 2.5, minimum: 1, maximum: 4 }],
    [[10, 9], { median: 9.5, minimum: 9, maximum: 10 }],
  ])('%j', (numbers, spread) => {
    expect(spreadOf(numbers)).toEqual(spread);
  });
});

describe('measureInTurn', () => {
  it('warms up, takes turns, and begins each round with another contender', async () => {
    const runs: string[] = [];
    const contender = (name: string) => ({
      name,
      measure: (round: number) => {
        runs.push(`${round}${name}`);
        return Promise.resolve({ time: 1 });
      },
    });
    await measureInTurn([contender('a'), contender('b'), contender('c')], { rounds: 2, reference: 'a' });
    expect(runs.join(' ')).toBe('0a 0b 0c 1b 1c 1a 2c 2a 2b');
  });

  it('compares within a round, so that a slow round changes no ratio', async () => {
    const slowness = [100, 1, 7];
    const contender = (name: string, seconds: number) => ({
      name,
      measure: (round: number) => Promise.resolve({ time: seconds * (slowness[round] ?? 0) }),
    });
    const [one, two] = await measureInTurn([contender('one', 2), contender('two', 3)], {
      rounds: 2,
      reference: 'one',
    });
    expect(one?.values).toEqual({ time: { median: 8, minimum: 2, maximum: 14 } });
    expect(two?.ratios).toEqual({ time: { median: 1.5, minimum: 1.5, maximum: 1.5 } });
  });

  it('ends when it is asked to', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(
      measureInTurn([{ name: 'a', measure: () => Promise.resolve({}) }], {
        rounds: 1,
        reference: 'a',
        signal,
      }),
    ).rejects.toThrow('enough');
  });
});

describe('summarize', () => {
  it('leaves out what was not measured, and ratios to nothing', () => {
    const rounds = [
      new Map([
        ['a', { x: 0 }],
        ['b', { x: 1, y: 2 }],
      ]),
    ];
    expect(summarize(['a', 'b', 'c'], rounds, 'a').map(({ values, ratios }) => [values, ratios])).toEqual([
      [{ x: { median: 0, minimum: 0, maximum: 0 } }, {}],
      [{ x: { median: 1, minimum: 1, maximum: 1 }, y: { median: 2, minimum: 2, maximum: 2 } }, {}],
      [{}, {}],
    ]);
  });
});

describe('rotated', () => {
  it('begins later, and loses none', () => {
    expect([0, 1, 4].map((by) => rotated(['a', 'b', 'c'], by).join(''))).toEqual(['abc', 'bca', 'bca']);
    expect(rotated([], 3)).toEqual([]);
  });
});
