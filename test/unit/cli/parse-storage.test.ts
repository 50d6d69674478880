import { describe, expect, it } from 'vitest';
import { parseAge, parseBytes } from '../../../src/cli/parse-storage.js';

describe('parseAge', () => {
  it.each([
    ['0', 0],
    ['0d', 0],
    ['90s', 90_000],
    ['1.5h', 5_400_000],
    ['7d', 604_800_000],
    ['2w', 1_209_600_000],
  ])('%s', (text, expected) => {
    expect(parseAge(text)).toBe(expected);
  });

  it.each(['', '7', 'd', '-1d', '7 days', '1y'])('refuses %j', (text) => {
    expect(() => parseAge(text)).toThrow('is not an age');
  });
});

describe('parseBytes', () => {
  it.each([
    ['0', 0],
    ['1024', 1024],
    ['20GiB', 20 * 1024 ** 3],
    ['20G', 20 * 1024 ** 3],
    ['1.5TiB', 1.5 * 1024 ** 4],
    ['512 MiB', 512 * 1024 ** 2],
  ])('%s', (text, expected) => {
    expect(parseBytes(text)).toBe(expected);
  });

  it.each(['', '20GB', '20gib', '-1G', 'much', '9999999P'])('refuses %j', (text) => {
    expect(() => parseBytes(text)).toThrow('is not a number of bytes');
  });
});
