import { describe, expect, it } from 'vitest';
import { crc32cWithoutField } from '../../../../src/image/header/crc32c.js';
import { describeBytes, quote, shellWord } from '../../../../src/image/header/quote.js';

describe('quote', () => {
  it.each([
    ['evil.qcow2', '"evil.qcow2"'],
    ['Fedora 17 ü.img', '"Fedora 17 ü.img"'],
    ['say "hi"\\', String.raw`"say \"hi\"\\"`],
    ['\x1b[2J\n\0', String.raw`"\x1b[2J\x0a\x00"`],
    ['gnp.\u202eexe', String.raw`"gnp.\u{202e}exe"`],
    ['a'.repeat(300), `"${'a'.repeat(200)}…"`],
  ])('%j', (text, quoted) => {
    expect(quote(text)).toBe(quoted);
  });
});

describe('shellWord', () => {
  it.each([
    ['evil.qcow2', 'evil.qcow2'],
    ['my disk.qcow2', "'my disk.qcow2'"],
    ["it's; rm -rf ~", String.raw`'it'\''s; rm -rf ~'`],
    ['-O.img', './-O.img'],
    ['~root', "'~root'"],
    ['a\nb', 'FILE'],
  ])('%j', (name, word) => {
    expect(shellWord(name)).toBe(word);
  });
});

describe('describeBytes', () => {
  it.each([
    [512, '512 bytes'],
    [2 * 1024 ** 3, '2 GiB'],
    [10514432, '10 MiB'],
    [1.5 * 1024 ** 4, '1.5 TiB'],
  ])('%d', (bytes, text) => {
    expect(describeBytes(bytes)).toBe(text);
  });
});

describe('crc32cWithoutField', () => {
  it('gives the check value of CRC-32C', () => {
    expect(crc32cWithoutField(Buffer.from('123456789'), 100)).toBe(0xe3069283);
  });

  it('counts the field as zero', () => {
    const bytes = Buffer.from('12345678');
    const cleared = Buffer.from('12\0\0\0\x0078');
    expect(crc32cWithoutField(bytes, 2)).toBe(crc32cWithoutField(cleared, 100));
  });
});
