import { describe, expect, it } from 'vitest';

import {
  formatAge,
  formatDuration,
  formatPercent,
  parseDuration,
  shortenDigest,
} from '../../../../src/cli/terminal/units.js';
import { LaunchError } from '../../../../src/host/launch-error.js';

describe('formatDuration', () => {
  it.each([
    [0, '0 ms'],
    [40.7, '40 ms'],
    [100, '0.1 s'],
    [600, '0.6 s'],
    [4000, '4 s'],
    [14_230, '14.2 s'],
    [59_940, '59.9 s'],
    [59_960, '1 min'],
    [60_000, '1 min'],
    [125_000, '2 min 5 s'],
    [3_599_600, '1 h'],
    [3_840_000, '1 h 4 min'],
    [86_400_000, '1 d'],
    [93_600_000, '1 d 2 h'],
    [-5, '0 ms'],
  ])('%d ms is %s', (milliseconds, text) => {
    expect(formatDuration(milliseconds)).toBe(text);
  });
});

describe('formatAge', () => {
  const minute = 60_000;
  const hour = 60 * minute;
  const day = 24 * hour;
  it.each([
    [0, 'just now'],
    [-30_000, 'just now'],
    [-2 * minute, 'in the future'],
    [59_999, 'just now'],
    [minute, '1 min ago'],
    [2 * hour, '2 h ago'],
    [47 * hour, '47 h ago'],
    [2 * day, '2 d ago'],
    [729 * day, '729 d ago'],
    [730 * day, '2 y ago'],
  ])('%d ms is %s', (milliseconds, text) => {
    expect(formatAge(milliseconds)).toBe(text);
  });
});

describe('parseDuration', () => {
  it.each([
    ['60', 60_000],
    ['0', 0],
    ['90s', 90_000],
    ['500ms', 500],
    ['2m', 120_000],
    ['2 min', 120_000],
    ['1h', 3_600_000],
    ['1.5h', 5_400_000],
    ['576h', 2_073_600_000],
  ])('%s is %d ms', (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds);
  });

  it.each(['', 's', '-1', '1e3', '0x10', '1d', '1h30m', 'forever', 'Infinity', '577h', '9'.repeat(400)])(
    'refuses %j',
    (text) => {
      expect(() => parseDuration(text)).toThrow(
        expect.objectContaining({ code: 'ARGUMENT_INVALID', name: 'LaunchError' }),
      );
    },
  );

  it('says what to write', () => {
    const refusal = (() => {
      try {
        return parseDuration('soon');
      } catch (error) {
        return error;
      }
    })();
    expect(refusal).toBeInstanceOf(LaunchError);
    expect(refusal).toMatchObject({
      message: '"soon" is not a duration',
      hint: 'write seconds, or a number with ms, s, m or h:  60  90s  2m  1h',
    });
  });
});

it('shortenDigest keeps both ends, and short digests whole', () => {
  expect(shortenDigest('5c2e0157a6cb0000000000000000000000000000000000000000000000009a01')).toBe(
    '5c2e01…9a01',
  );
  expect(shortenDigest('5c2e019a01f')).toBe('5c2e019a01f');
});

describe('formatPercent', () => {
  it.each([
    [0, '0 %'],
    [0.0004, '<0.1 %'],
    [0.001, '0.1 %'],
    [0.031, '3.1 %'],
    [0.03, '3 %'],
    [0.29, '29 %'],
    [0.64, '64 %'],
    [0.9999, '99 %'],
    [1, '100 %'],
  ])('%d is %s', (fraction, text) => {
    expect(formatPercent(fraction)).toBe(text);
  });
});
