import { expect, it } from 'vitest';

import { TransferRate } from '../../../../src/cli/terminal/transfer-rate.js';

function watched(bytesPerSecond: number, seconds: number): TransferRate {
  const rate = new TransferRate();
  for (let at = 0; at <= seconds * 1000; at += 500) rate.add((bytesPerSecond * at) / 1000, at);
  return rate;
}

it('knows nothing until it has watched for a second', () => {
  const rate = new TransferRate();
  expect(rate.bytesPerSecond(0)).toBeUndefined();
  rate.add(0, 0);
  rate.add(500, 500);
  expect(rate.bytesPerSecond(999)).toBeUndefined();
  expect(rate.bytesPerSecond(1000)).toBeCloseTo(1000);
});

it('is the speed of a steady transfer, and its time left', () => {
  const rate = watched(1000, 5);
  expect(rate.bytesPerSecond(5000)).toBeCloseTo(1000);
  expect(rate.timeLeft(15_000, 5000)).toBeCloseTo(10_000);
});

it('does not count what was done before it watched', () => {
  const rate = new TransferRate();
  rate.add(1_000_000, 0);
  rate.add(1_001_000, 1000);
  expect(rate.bytesPerSecond(1000)).toBeCloseTo(1000);
});

it('follows a change slowly', () => {
  const rate = watched(1000, 5);
  rate.add(5000 + 4000, 6000);
  const after = rate.bytesPerSecond(6000) ?? 0;
  expect(after).toBeGreaterThan(1500);
  expect(after).toBeLessThan(2500);
});

it('does not jump when two samples come together', () => {
  const rate = watched(1000, 5);
  rate.add(900_000, 5001);
  expect(rate.bytesPerSecond(5001)).toBeCloseTo(1000);
});

it('falls, and is forgotten, while nothing comes', () => {
  const rate = watched(1000, 5);
  expect(rate.bytesPerSecond(6000)).toBeCloseTo(1000);
  expect(rate.bytesPerSecond(9000)).toBeCloseTo(1000 * Math.exp(-1));
  expect(rate.bytesPerSecond(60_000)).toBeUndefined();
});

it('has no time left when all is done, or when it would be more than a day', () => {
  const rate = watched(1000, 5);
  expect(rate.timeLeft(5000, 5000)).toBeUndefined();
  expect(rate.timeLeft(1000 * 86_401 + 5000, 5000)).toBeUndefined();
});

it('begins anew when the bytes go back', () => {
  const rate = watched(1000, 5);
  rate.add(0, 6000);
  expect(rate.bytesPerSecond(6000)).toBeUndefined();
  rate.add(2000, 7000);
  expect(rate.bytesPerSecond(7000)).toBeCloseTo(2000);
});
