import { describe, expect, it } from 'vitest';

import { writeIso9660 } from '../../../../src/guest/seed/iso9660.js';
import { readIso9660 } from '../../../../src/guest/seed/read-iso9660.js';
import { LaunchError } from '../../../../src/host/launch-error.js';

const date = new Date('2026-01-02T03:04:05.678Z');
const file = (path: string, content: string | Buffer) => ({ path, content: Buffer.from(content) });
const files = [
  file('b-file', 'b'),
  file('empty', ''),
  file('a/deep/er.json', '{}'),
  file('a/user_data', Buffer.alloc(5000, 65)),
];
const writeWhole = (...given: Parameters<typeof writeIso9660>): Buffer => {
  const { content, sizeBytes } = writeIso9660(...given);
  return Buffer.concat([content, Buffer.alloc(sizeBytes - content.length)]);
};

describe('an ISO 9660 image', () => {
  const image = writeWhole(files, { label: 'cidata', date });

  // What others read in it, test/integration/seed-image.test.ts shows.
  it('is read back with all that was put in', () => {
    const { label, files: found } = readIso9660(image);
    expect(label).toBe('cidata');
    const sorted = (list: readonly { path: string; content: Buffer }[]) =>
      list.map(({ path, content }) => [path, content.toString()]).sort();
    expect(sorted(found)).toEqual(sorted(files));
  });

  it('has the same bytes for the same files, label and date', () => {
    expect(writeWhole(files, { label: 'cidata', date }).equals(image)).toBe(true);
    expect(writeWhole(files, { label: 'cidata', date: new Date(0) }).equals(image)).toBe(false);
  });

  it('is whole MiB long', () => {
    expect(image.length).toBe(1024 ** 2);
    const large = [file('a', Buffer.alloc(1024 ** 2))];
    expect(writeIso9660(large, { label: 'a', date }).sizeBytes).toBe(2 * 1024 ** 2);
  });

  it('keeps equal contents once', () => {
    const same = ['a', 'b', 'c'].map((path) => file(path, Buffer.alloc(100_000, 1)));
    expect(writeIso9660(same, { label: 'x', date }).content.length).toBeLessThan(200_000);
  });

  it('does not begin a directory that would go over a sector', () => {
    const many = Array.from({ length: 60 }, (_, index) => file(`file-${index}`, `${index}`));
    expect(() => writeIso9660(many, { label: 'x', date })).toThrow('a directory of');
  });

  it('is refused when it is damaged, and never read beyond its end', () => {
    expect(() => readIso9660(Buffer.alloc(100))).toThrow(LaunchError);
    for (let at = 16 * 2048; at < 24 * 2048; at += 7) {
      const broken = Buffer.from(image);
      broken.fill(0xff, at, at + 4);
      try {
        readIso9660(broken);
      } catch (error) {
        expect(error).toBeInstanceOf(LaunchError);
      }
    }
    expect(() => readIso9660(image.subarray(0, 20 * 2048))).toThrow(LaunchError);
  });
});
