import { describe, expect, it } from 'vitest';

import type { ChainLink } from '../../../src/disk/backing-chain.js';
import { measureOverlap, sharedBytes } from '../../../src/disk/overlap.js';
import { QemuImg, type Extent } from '../../../src/qemu-img/qemu-img.js';
import { ScriptedRunner } from '../../support/scripted-runner.js';
import { launchErrorOf } from '../host/launch-error-of.js';
import { createRandom } from '../../support/random.js';

function extent(startBytes: number, lengthBytes: number): Extent {
  return { startBytes, lengthBytes, depth: 0, zero: false, data: true };
}

/** Byte by byte. */
function slowSharedBytes(first: readonly Extent[], second: readonly Extent[]): number {
  const bytesOf = (extents: readonly Extent[]) =>
    new Set(
      extents.flatMap(({ startBytes, lengthBytes }) =>
        Array.from({ length: lengthBytes }, (_, offset) => startBytes + offset),
      ),
    );
  const others = bytesOf(second);
  return [...bytesOf(first)].filter((byte) => others.has(byte)).length;
}

/** The same numbers in every run. */
function numbersFrom(seed: number): (below: number) => number {
  const random = createRandom(seed);
  return (below) => Math.floor(random() * below);
}

function randomExtents(next: (below: number) => number): readonly Extent[] {
  const extents: Extent[] = [];
  let position = 0;
  for (let count = next(8); count > 0; count -= 1) {
    // A gap of 0 makes extents that touch; a length of 0 is allowed too.
    position += next(6);
    const length = next(10);
    extents.push(extent(position, length));
    position += length;
  }
  return extents;
}

describe('sharedBytes', () => {
  it.each([
    ['nothing and nothing', [], [], 0],
    ['something and nothing', [extent(0, 10)], [], 0],
    ['the same', [extent(5, 10)], [extent(5, 10)], 10],
    ['one within the other', [extent(0, 100)], [extent(10, 5)], 5],
    ['a part', [extent(0, 10)], [extent(5, 10)], 5],
    ['neighbours', [extent(0, 10)], [extent(10, 10)], 0],
    ['one over many', [extent(0, 100)], [extent(0, 1), extent(50, 2), extent(99, 10)], 4],
    ['many over one', [extent(0, 1), extent(50, 2), extent(99, 10)], [extent(0, 100)], 4],
    ['terabytes', [extent(2 ** 43, 2 ** 42)], [extent(0, 2 ** 44)], 2 ** 42],
  ])('of %s', (_what, first, second, shared) => {
    expect(sharedBytes(first, second)).toBe(shared);
  });

  it('is what counting byte by byte gives, whichever list comes first', () => {
    const next = numbersFrom(17);
    for (let turn = 0; turn < 500; turn += 1) {
      const [first, second] = [randomExtents(next), randomExtents(next)];
      const expected = slowSharedBytes(first, second);
      expect(
        [sharedBytes(first, second), sharedBytes(second, first)],
        JSON.stringify([first, second]),
      ).toEqual([expected, expected]);
    }
  });
});

describe('measureOverlap', () => {
  const links: readonly ChainLink[] = [
    { path: '/i/disk', format: 'qcow2', detectedFormat: 'qcow2' },
    { path: '/b/base', format: 'raw', detectedFormat: undefined },
  ];

  it('counts what the overlay holds itself of what its base holds', async () => {
    const overlay = [
      { start: 0, length: 100, depth: 0, zero: false, data: true },
      { start: 100, length: 100, depth: 1, zero: false, data: true },
      // Zeros that the guest wrote hide the base as well.
      { start: 200, length: 100, depth: 0, zero: true, data: false },
      { start: 300, length: 700, depth: 1, zero: true, data: false },
    ];
    const base = [
      { start: 0, length: 250, depth: 0, zero: false, data: true },
      { start: 250, length: 750, depth: 0, zero: true, data: false },
    ];
    const runner = new ScriptedRunner([
      { stdout: JSON.stringify(overlay) },
      { stdout: JSON.stringify(base) },
    ]);
    expect(await measureOverlap(links, new QemuImg(runner))).toEqual({
      writtenOverBytes: 150,
      baseDataBytes: 250,
    });
    expect(runner.calls.map(({ args }) => args.slice(-3))).toEqual([
      ['-f', 'qcow2', '/i/disk'],
      ['-f', 'raw', '/b/base'],
    ]);
  });

  it('is unknown without a base, and where a link cannot be read', async () => {
    const qemuImg = new QemuImg(new ScriptedRunner([]));
    expect(await measureOverlap([], qemuImg)).toBeUndefined();
    expect(await measureOverlap(links.slice(0, 1), qemuImg)).toBeUndefined();
    const broken = links.map((link, index) => (index === 1 ? { ...link, problem: 'gone' } : link));
    expect(await measureOverlap(broken, qemuImg)).toBeUndefined();
  });

  it('is unknown when qemu-img cannot read what a guest is writing', async () => {
    const runner = new ScriptedRunner([{ exitCode: 1, stderr: 'qemu-img: Could not read' }]);
    expect(await measureOverlap(links, new QemuImg(runner))).toBeUndefined();
  });

  it('can be interrupted', async () => {
    const work = { signal: AbortSignal.abort() };
    const error = await launchErrorOf(measureOverlap(links, new QemuImg(new ScriptedRunner([])), work));
    expect(error.code).toBe('INTERRUPTED');
  });
});
