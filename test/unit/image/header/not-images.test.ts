import { writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { inspectHeader } from '../../../../src/image/header/inspect-header.js';
import { rawImage } from '../../../support/image-files.js';
import { refusalOf, temporaryDirectory } from './judged-file.js';

/** As `xz --format=lzma` begins a file, here of a length that is unknown or given. */
function lzmaImage(dictionaryBytes: number, lengthBytes: bigint): Buffer {
  const bytes = rawImage();
  bytes[0] = 0x5d;
  bytes.writeUInt32LE(dictionaryBytes, 1);
  bytes.writeBigUInt64LE(lengthBytes, 5);
  bytes.set([0, 0x34, 0x19, 0x49, 0xee], 13);
  return bytes;
}

describe('a file of no image', () => {
  const pathOf = temporaryDirectory();

  it.each([
    [2 ** 18, 2n ** 64n - 1n],
    [2 ** 23, 2n ** 64n - 1n],
    [2 ** 26, 2n ** 31n],
    [1.5 * 2 ** 20, 2n ** 31n],
  ])('lzma, whose dictionary is %d: is not taken for a raw disk', async (dictionaryBytes, lengthBytes) => {
    await writeFile(pathOf('x'), lzmaImage(dictionaryBytes, lengthBytes));
    const refusal = await refusalOf(inspectHeader(pathOf('x'), { displayName: 'disk.raw.lzma' }));
    expect(refusal.code).toBe('IMAGE_FORMAT_UNKNOWN');
    expect(refusal.hint).toBe('decompress it first:  lzma -d -k disk.raw.lzma');
  });

  it('what only looks a little like lzma is a raw disk', async () => {
    for (const bytes of [lzmaImage(1000, 1n), lzmaImage(5000, 2n ** 31n), lzmaImage(2 ** 20, 2n ** 50n)]) {
      await writeFile(pathOf('x'), bytes);
      expect((await inspectHeader(pathOf('x'))).format).toBe('raw');
    }
  });

  it('a message of a server says to look at its address, since the file is gone', async () => {
    await writeFile(pathOf('x'), '<!DOCTYPE html><title>not found</title>'.padEnd(1024));
    const refusal = await refusalOf(inspectHeader(pathOf('x'), { displayName: 'disk.qcow2' }));
    expect(refusal.hint).toContain('open its address in a browser');
    expect(refusal.hint).not.toContain('head disk.qcow2');
  });
});
