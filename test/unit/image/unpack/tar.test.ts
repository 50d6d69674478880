import { describe, expect, it } from 'vitest';
import { ChunkReader } from '../../../../src/image/unpack/chunk-reader.js';
import { parsePaxRecords } from '../../../../src/image/unpack/pax-records.js';
import { TarRefusal } from '../../../../src/image/unpack/stored-content.js';
import { isTarHeader, parseTarHeader } from '../../../../src/image/unpack/tar-header.js';
import { readTar } from '../../../../src/image/unpack/tar-reader.js';
import { createRandom } from '../../../support/random.js';
import { tarArchive, tarHeader, withSum } from '../../../support/tar-archive.js';

async function* pieces(content: Buffer, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += length) yield content.subarray(at, at + length);
}

async function listOf(content: Buffer, length = 1000): Promise<[string, string][]> {
  const found: [string, string][] = [];
  for await (const file of readTar(new ChunkReader(pieces(content, length)))) {
    let text = '';
    for await (const piece of file.content()) text += piece.toString('latin1');
    found.push([file.name, text]);
  }
  return found;
}

describe('readTar', () => {
  const archive = tarArchive(
    { name: 'dir/', type: '5' },
    { name: './dir/a', content: 'x'.repeat(511) },
    { name: 'b', content: 'y'.repeat(512) },
    { name: 'empty' },
    { name: 'x', type: 'x', content: '15 path=longer\n' },
    { name: 'short', content: 'z' },
    { name: 'x', type: 'g', content: '20 comment=nothing\n\n' },
    { name: '././@LongLink', type: 'L', content: 'gnu/long\0' },
    { name: 'short', content: 'w' },
  );

  it.each([1, 7, 511, 512, 513, 100_000])('gives files in order, from pieces of %d bytes', async (length) => {
    expect(await listOf(archive, length)).toEqual([
      ['dir/a', 'x'.repeat(511)],
      ['b', 'y'.repeat(512)],
      ['empty', ''],
      ['longer', 'z'],
      ['gnu/long', 'w'],
    ]);
  });

  it('skips what is not read', async () => {
    const names: string[] = [];
    for await (const file of readTar(new ChunkReader(pieces(archive, 100)))) names.push(file.name);
    expect(names).toEqual(['dir/a', 'b', 'empty', 'longer', 'gnu/long']);
  });

  it('whatever is changed in it, it is read or refused', async () => {
    const next = createRandom(20260101);
    const random = (below: number) => Math.floor(next() * below);
    for (let round = 0; round < 2000; round += 1) {
      const mutated = Buffer.from(archive);
      for (let changes = 1 + (round % 4); changes > 0; changes -= 1) {
        const header = 512 * random(Math.floor(mutated.length / 512));
        mutated[header + random(512)] = random(256);
        if (round % 2 === 0 && header + 512 <= mutated.length)
          withSum(mutated.subarray(header, header + 512));
      }
      await listOf(mutated).catch((error: unknown) => {
        expect(error).toBeInstanceOf(TarRefusal);
      });
    }
  });

  it('cut anywhere, it is refused', async () => {
    for (let length = 0; length < archive.length - 1024; length += 100) {
      await expect(listOf(archive.subarray(0, length))).rejects.toBeInstanceOf(TarRefusal);
    }
  });
});

describe('parseTarHeader', () => {
  it('needs the magic and a right sum', () => {
    const header = tarHeader({ name: 'a' });
    expect(isTarHeader(header)).toBe(true);
    for (const at of [0, 257, 511]) {
      const changed = Buffer.from(header);
      changed[at] = 0x41 + (changed[at] ?? 0);
      expect(isTarHeader(changed)).toBe(false);
    }
    expect(isTarHeader(header.subarray(0, 511))).toBe(false);
  });

  it('reads lengths in octal and in binary, and refuses others', () => {
    const withSize = (bytes: Buffer): Buffer => {
      const header = tarHeader({ name: 'a' });
      bytes.copy(header, 124);
      return withSum(header);
    };
    const binary = Buffer.alloc(12);
    binary[0] = 0x80;
    binary.writeBigUInt64BE(2n ** 40n, 4);
    expect(parseTarHeader(withSize(binary))?.storedBytes).toBe(2 ** 40);
    binary.fill(0xff, 1);
    expect(parseTarHeader(withSize(binary))).toBeUndefined();
    binary.fill(0xff);
    expect(parseTarHeader(withSize(binary))).toBeUndefined();
    expect(parseTarHeader(withSize(Buffer.from('-1          ')))).toBeUndefined();
    expect(parseTarHeader(withSize(Buffer.from('        17 \0')))?.storedBytes).toBe(15);
  });
});

describe('parsePaxRecords', () => {
  it.each([
    ['', []],
    ['12 path=a=b\n', [['path', 'a=b']]],
    ['9 path=é\n', undefined],
    ['11 path=é\n6 a=\n', undefined],
    [
      '11 path=é\n5 a=\n',
      [
        ['path', 'é'],
        ['a', ''],
      ],
    ],
    ['9 path=a\n9 path=b\n', undefined],
    ['9 path=a', undefined],
    ['09 path=a\n', undefined],
    ['99 path=a\n', undefined],
    ['3 \n', undefined],
    ['5 =a\n', undefined],
    ['x', undefined],
  ])('%j', (text, expected) => {
    const records = parsePaxRecords(Buffer.from(text));
    expect(records === undefined ? undefined : [...records]).toEqual(expected);
  });
});
