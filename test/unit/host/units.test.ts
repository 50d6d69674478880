import { describe, expect, it } from 'vitest';

import { formatBytes } from '../../../src/host/units.js';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [1, '1 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [1025, '1.1 KiB'],
    [251985920, '241 MiB'],
    [740 * MIB, '740 MiB'],
    [1.5 * GIB, '1.5 GiB'],
    [2 * GIB, '2 GiB'],
    [2 * GIB + 1, '2.1 GiB'],
    [9.95 * GIB, '10 GiB'],
    [GIB - 1, '1 GiB'],
    [1023 * MIB + 1, '1 GiB'],
    [1023 * MIB, '1023 MiB'],
    [21474836480, '20 GiB'],
    [8 * 1024 ** 5, '8 PiB'],
    [2048 * 1024 ** 6, '2048 EiB'],
  ])('%d is %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });
});
