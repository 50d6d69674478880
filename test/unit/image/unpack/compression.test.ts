import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { decompress, detectCompression } from '../../../../src/image/unpack/compression.js';

async function* chunks(...content: readonly Buffer[]): AsyncGenerator<Uint8Array> {
  yield* content;
}

async function unpack(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of decompress(stream, 'gzip', { displayName: 'x' })) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

describe('detectCompression', () => {
  it.each([
    ['gzip', '1f8b0800'],
    ['xz', 'fd377a585a0000'],
    ['zstd', '28b52ffd'],
    ['zstd', '502a4d1804000000'],
    ['zstd', '5f2a4d1804000000'],
    [undefined, '602a4d1804000000'],
    ['bzip2', '425a6839314159265359'],
    ['bzip2', '425a683917724538509000000000'],
    [undefined, '425a68397465787420202020'],
    [undefined, '514649fb00000003'],
    [undefined, '1f8b'],
    [undefined, ''],
  ])('%s', (expected, hex) => {
    expect(detectCompression(Buffer.from(hex, 'hex'))).toBe(expected);
  });
});

describe('decompress gzip', () => {
  const packed = gzipSync('some text');

  it('one stream, and several one after the other', async () => {
    expect(await unpack(chunks(packed))).toBe('some text');
    expect(await unpack(chunks(packed, packed))).toBe('some textsome text');
    expect(await unpack(chunks(...Array.from(packed, (byte) => Buffer.of(byte))))).toBe('some text');
  });

  it.each<[string, readonly Buffer[]]>([
    ['cut short', [packed.subarray(0, -1)]],
    ['damaged', [packed.subarray(0, 10), Buffer.alloc(20, 0xff)]],
    ['followed by something', [packed, Buffer.from('garbage'), Buffer.alloc(1_000_000, 1)]],
  ])('%s is IMAGE_CORRUPT', async (_what, content) => {
    await expect(unpack(chunks(...content))).rejects.toMatchObject({ code: 'IMAGE_CORRUPT' });
  });

  it('passes on what its source throws', async () => {
    const failure = new Error('the source broke');
    const source = (async function* () {
      yield packed.subarray(0, 12);
      throw failure;
    })();
    await expect(unpack(source)).rejects.toBe(failure);
  });
});
