import { open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { copySparse, runsOfContent } from '../../../src/image/sparse-copy.js';
import { newHome } from '../host/new-home.js';

const KIB = 1024;
const PIECE = 64 * KIB;

async function* chunksOf(content: Buffer, length: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < content.length; start += length)
    yield new Uint8Array(content.subarray(start, start + length));
}

async function copy(content: Buffer, chunkLength: number) {
  const { root } = await newHome();
  const path = join(root, 'copy');
  const target = await open(path, 'wx+');
  const told: { chunks: Buffer[]; done: number[] } = { chunks: [], done: [] };
  const copied = await copySparse(chunksOf(content, chunkLength), target, (chunk, doneBytes) => {
    told.chunks.push(Buffer.from(chunk));
    told.done.push(doneBytes);
  });
  await target.close();
  return { path, copied, told };
}

/** Content here and there, zeros between. */
function sparseContent(): Buffer {
  const content = Buffer.alloc(4 * 1024 * KIB + 777);
  content.write('start');
  content.write('across a border', PIECE - 5);
  content.fill(0xab, 20 * PIECE, 22 * PIECE + 1);
  content.write('end', content.length - 3);
  return content;
}

describe('copySparse', () => {
  it.each([1000, PIECE - 1, PIECE, PIECE + 1, 1024 * KIB, 10 * 1024 * KIB])(
    'copies byte for byte from chunks of %d',
    async (chunkLength) => {
      const content = sparseContent();
      const { path, copied } = await copy(content, chunkLength);
      expect(copied).toBe(content.length);
      expect((await readFile(path)).equals(content)).toBe(true);
    },
  );

  it('leaves holes where there are only zeros', async () => {
    const content = sparseContent();
    const { path } = await copy(content, 1024 * KIB);
    const { blocks, size } = await stat(path);
    expect(size).toBe(content.length);
    // Six pieces hold something: two at the start, three in the middle, one at the end.
    expect(blocks * 512).toBeLessThanOrEqual(6 * PIECE + 64 * KIB);
    expect(blocks * 512).toBeGreaterThanOrEqual(3 * PIECE);
  });

  it('keeps the length of zeros at the end, and of nothing but zeros', async () => {
    const { path } = await copy(Buffer.alloc(3 * PIECE + 5), PIECE);
    const { blocks, size } = await stat(path);
    expect([size, blocks]).toEqual([3 * PIECE + 5, 0]);
  });

  it('makes an empty file of an empty stream', async () => {
    const { path, copied } = await copy(Buffer.alloc(0), PIECE);
    expect([copied, (await stat(path)).size]).toEqual([0, 0]);
  });

  it('tells every byte in order, holes too, so that a digest can be taken', async () => {
    const content = sparseContent();
    const { told } = await copy(content, 100_000);
    expect(Buffer.concat(told.chunks).equals(content)).toBe(true);
    expect(told.done.at(-1)).toBe(content.length);
    expect(told.done.every((done, index) => done > (told.done[index - 1] ?? 0))).toBe(true);
  });

  it('fails with the stream', async () => {
    const { root } = await newHome();
    const target = await open(join(root, 'copy'), 'wx+');
    const source = (async function* () {
      yield new Uint8Array(10);
      throw new Error('the pipe broke');
    })();
    await expect(copySparse(source, target, () => undefined)).rejects.toThrow('the pipe broke');
    await target.close();
  });
});

describe('runsOfContent', () => {
  const full = Buffer.alloc(3 * PIECE, 1);

  it('is one run where there are no zeros', () => {
    expect(runsOfContent(full, 0)).toEqual([{ start: 0, end: 3 * PIECE }]);
    expect(runsOfContent(full, 12345)).toEqual([{ start: 0, end: 3 * PIECE }]);
  });

  it('is none where there are only zeros', () => {
    expect(runsOfContent(Buffer.alloc(3 * PIECE), 12345)).toEqual([]);
    expect(runsOfContent(Buffer.alloc(0), 0)).toEqual([]);
  });

  it('ends at the borders of pieces in the file, not in the chunk', () => {
    const chunk = Buffer.alloc(3 * PIECE);
    chunk[PIECE] = 1;
    expect(runsOfContent(chunk, 0)).toEqual([{ start: PIECE, end: 2 * PIECE }]);
    expect(runsOfContent(chunk, 1)).toEqual([{ start: PIECE - 1, end: 2 * PIECE - 1 }]);
    expect(runsOfContent(chunk, PIECE - 1)).toEqual([{ start: 1, end: PIECE + 1 }]);
  });
});
