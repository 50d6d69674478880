import { createHash } from 'node:crypto';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { chunksWithData, digestRawDisk, findChangedMib, readDigest } from '../../../src/disk/digest.js';
import { QemuImg, type Extent } from '../../../src/qemu-img/qemu-img.js';
import { ScriptedRunner } from '../../support/scripted-runner.js';
import { launchErrorOf } from '../host/launch-error-of.js';
import { newHome } from '../host/new-home.js';

const MIB = 1024 ** 2;

function data(startBytes: number, lengthBytes: number): Extent {
  return { startBytes, lengthBytes, depth: 0, zero: false, data: true };
}

function hole(startBytes: number, lengthBytes: number): Extent {
  return { startBytes, lengthBytes, depth: 0, zero: true, data: false };
}

function qemuImgWith(extents: readonly Extent[]): QemuImg {
  const rows = extents.map(({ startBytes, lengthBytes, depth, zero, data: holds }) => ({
    start: startBytes,
    length: lengthBytes,
    depth,
    zero,
    data: holds,
  }));
  return new QemuImg(new ScriptedRunner(() => ({ stdout: JSON.stringify(rows) })));
}

interface Piece {
  readonly at: number;
  readonly bytes: Buffer;
}

/** A raw disk of a length with some pieces written, and holes elsewhere. */
async function rawDisk(length: number, pieces: readonly Piece[]): Promise<string> {
  const { root } = await newHome();
  const path = join(root, 'disk');
  const handle = await open(path, 'w');
  for (const { at, bytes } of pieces) await handle.write(bytes, 0, bytes.length, at);
  await handle.truncate(length);
  await handle.close();
  return path;
}

/** The digest as its comment defines it, from the whole content, chunk by chunk. */
function slowDigest(content: Buffer): string {
  const total = createHash('sha256');
  for (let index = 0; index * MIB < content.length; index += 1) {
    const chunk = Buffer.alloc(MIB);
    content.copy(chunk, 0, index * MIB);
    if (chunk.every((byte) => byte === 0)) continue;
    const number = Buffer.alloc(8);
    number.writeBigUInt64BE(BigInt(index));
    total.update(number).update(createHash('sha256').update(chunk).digest());
  }
  return `sha256-1m:${total.digest('hex')}`;
}

describe('chunksWithData', () => {
  it.each([
    ['no extents', [], []],
    ['only holes', [hole(0, 10 * MIB)], []],
    ['one byte', [data(0, 1)], [0]],
    ['a whole chunk', [data(MIB, MIB)], [1]],
    ['a byte more than a chunk', [data(MIB, MIB + 1)], [1, 2]],
    ['the bytes around a border', [data(2 * MIB - 1, 2)], [1, 2]],
    ['two extents in one chunk', [data(0, 4096), hole(4096, 4096), data(8192, 4096)], [0]],
    ['extents that touch', [data(0, MIB / 2), data(MIB / 2, MIB)], [0, 1]],
    ['an extent of no length', [data(5 * MIB, 0)], []],
    ['data behind a long hole', [data(0, 1), hole(1, 2 ** 42), data(2 ** 42, MIB)], [0, 2 ** 22]],
  ])('finds the chunks of %s', (_what, extents, indexes) => {
    expect(chunksWithData(extents)).toEqual(indexes);
  });
});

describe('invariant 6: the digest of a base is the digest of its content', () => {
  const word = Buffer.from('boot sector');
  const pieces = [
    { at: 0, bytes: word },
    { at: 5 * MIB - 4, bytes: word },
    { at: 7 * MIB + 100, bytes: word },
  ];
  const length = 8 * MIB;
  const everything = [data(0, length)];

  it('is what its definition says', async () => {
    const content = Buffer.alloc(length);
    for (const { at, bytes } of pieces) bytes.copy(content, at);
    const path = await rawDisk(length, pieces);
    expect(await digestRawDisk(path, qemuImgWith(everything))).toBe(slowDigest(content));
  });

  it('is the same for holes and for zeros that were written', async () => {
    const sparse = await rawDisk(length, pieces);
    const full = await rawDisk(length, [{ at: 0, bytes: Buffer.alloc(length) }, ...pieces]);
    const map = [
      data(0, 4096),
      hole(4096, 4 * MIB),
      data(4 * MIB, 2 * MIB),
      hole(6 * MIB, MIB),
      data(7 * MIB, MIB),
    ];
    expect(await digestRawDisk(full, qemuImgWith(everything))).toBe(
      await digestRawDisk(sparse, qemuImgWith(map)),
    );
  });

  it('is the same for a disk that was only grown, also within its last chunk', async () => {
    const small = await rawDisk(7 * MIB + 200, pieces);
    const large = await rawDisk(4096 * MIB, pieces);
    const grown = [data(0, 8 * MIB), hole(8 * MIB, 4088 * MIB)];
    expect(await digestRawDisk(large, qemuImgWith(grown))).toBe(
      await digestRawDisk(small, qemuImgWith([data(0, 7 * MIB + 200)])),
    );
  });

  it.each([0, 1, 5 * MIB, 7 * MIB + 110, length - 1])('is another when the byte at %d is', async (at) => {
    const path = await rawDisk(length, pieces);
    const before = await digestRawDisk(path, qemuImgWith(everything));
    const handle = await open(path, 'r+');
    const byte = Buffer.alloc(1);
    await handle.read(byte, 0, 1, at);
    await handle.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, at);
    await handle.close();
    expect(await digestRawDisk(path, qemuImgWith(everything))).not.toBe(before);
  });

  it('is another when the same chunk lies elsewhere', async () => {
    const first = await rawDisk(length, [{ at: 0, bytes: word }]);
    const second = await rawDisk(length, [{ at: MIB, bytes: word }]);
    const map = qemuImgWith(everything);
    expect(await digestRawDisk(first, map)).not.toBe(await digestRawDisk(second, map));
  });

  it('of nothing is the same for every length', async () => {
    const empty = `sha256-1m:${createHash('sha256').digest('hex')}`;
    expect(await digestRawDisk(await rawDisk(0, []), qemuImgWith([]))).toBe(empty);
    expect(await digestRawDisk(await rawDisk(length, []), qemuImgWith([hole(0, length)]))).toBe(empty);
    expect(await digestRawDisk(await rawDisk(length, []), qemuImgWith(everything))).toBe(empty);
  });

  it('does not read what the map calls a hole', async () => {
    const path = await rawDisk(length, pieces);
    const onlyFirst = await digestRawDisk(path, qemuImgWith([data(0, 4096), hole(4096, length - 4096)]));
    expect(onlyFirst).toBe(slowDigest(Buffer.concat([word, Buffer.alloc(MIB)])));
  });
});

describe('digestRawDisk', () => {
  it('tells how far it is, up to all of it', async () => {
    const path = await rawDisk(6 * MIB, []);
    const told: [number, number][] = [];
    await digestRawDisk(path, qemuImgWith([data(0, 6 * MIB)]), {
      onBytes: (done, total) => told.push([done, total]),
    });
    expect(told).toEqual([1, 2, 3, 4, 5, 6].map((done) => [done * MIB, 6 * MIB]));
  });

  it('can be interrupted between chunks', async () => {
    const path = await rawDisk(64 * MIB, []);
    const controller = new AbortController();
    let turns = 0;
    const digest = digestRawDisk(path, qemuImgWith([data(0, 64 * MIB)]), {
      signal: controller.signal,
      onBytes: () => {
        turns += 1;
        controller.abort();
      },
    });
    expect((await launchErrorOf(digest)).code).toBe('INTERRUPTED');
    // What was under way ends, and nothing more is begun.
    expect(turns).toBeGreaterThanOrEqual(1);
    expect(turns).toBeLessThanOrEqual(4);
    const ended = turns;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(turns).toBe(ended);
  });

  it('asks for the map as raw, and fails with a reason when the file is missing', async () => {
    const { root } = await newHome();
    const runner = new ScriptedRunner([{ stdout: '[]' }]);
    const error = await launchErrorOf(digestRawDisk(join(root, 'no'), new QemuImg(runner)));
    expect(error.code).toBe('FILE_SYSTEM');
    expect(runner.calls[0]?.args.slice(-3, -1)).toEqual(['-f', 'raw']);
  });

  it('reads a disk that ends within a chunk', async () => {
    const { root } = await newHome();
    const path = join(root, 'disk');
    const content = Buffer.alloc(MIB + 513, 7);
    await writeFile(path, content);
    expect(await digestRawDisk(path, qemuImgWith([data(0, content.length)]))).toBe(slowDigest(content));
  });
});

describe('findChangedMib', () => {
  const content = (seed: number): Buffer => Buffer.alloc(MIB, seed);
  const whole = qemuImgWith([data(0, 5 * MIB)]);
  const read = async (...chunks: readonly (number | undefined)[]) => {
    const pieces = chunks.flatMap((seed, index) =>
      seed === undefined ? [] : [{ at: index * MIB, bytes: content(seed) }],
    );
    return await readDigest(await rawDisk(5 * MIB, pieces), 'raw', whole);
  };

  it('names what was changed, filled, or emptied', async () => {
    const before = await read(1, 2, undefined, 4, 5);
    expect(findChangedMib(before, await read(1, 2, undefined, 4, 5))).toEqual([]);
    expect(findChangedMib(before, await read(1, 9, 3, undefined, 5))).toEqual([1, 2, 3]);
    expect(findChangedMib(before, await read(2, 1, undefined, 4, 5))).toEqual([0, 1]);
  });

  it('says nothing without a list, or with one that is not what the digest was made of', async () => {
    const before = await read(1, 2);
    const after = await read(1, 3);
    expect(findChangedMib({ digest: before.digest }, after)).toBeUndefined();
    expect(findChangedMib({ ...before, chunks: after.chunks }, after)).toBeUndefined();
    expect(findChangedMib({ ...before, chunks: '' }, after)).toBeUndefined();
    expect(findChangedMib({ ...before, digest: null }, after)).toBeUndefined();
  });
});
