import { describe, expect, it } from 'vitest';
import { findChecksum, parseChecksums } from '../../../../src/image/trust/checksum-list.js';

const a = 'a'.repeat(64);
const b = 'B'.repeat(64);
const long = 'c'.repeat(128);

describe('parseChecksums', () => {
  it('reads every form, and nothing else', () => {
    const text = [
      '-----BEGIN PGP SIGNED MESSAGE-----',
      'Hash: SHA256',
      '# Fedora.qcow2: 532217856 bytes',
      `SHA256 (Fedora (x).qcow2) = ${a}`,
      `${b}  text mode`,
      `${a} *binary`,
      `${long}\ttabbed\r`,
      `SHA512 (short) = ${a}`,
      `MD5 (x) = ${'0'.repeat(32)}`,
      `${'g'.repeat(64)}  no hex`,
      `${'a'.repeat(63)}  short`,
      `  ${a}  indented`,
      '-----BEGIN PGP SIGNATURE-----',
      'iQIzBAEBCAAdFiEEsPSVBFj2nhFQxsXtyKxJFhBe+UQ=',
    ].join('\n');
    expect(parseChecksums(text)).toEqual([
      { algorithm: 'sha256', digest: a, name: 'Fedora (x).qcow2' },
      { algorithm: 'sha256', digest: b.toLowerCase(), name: 'text mode' },
      { algorithm: 'sha256', digest: a, name: 'binary' },
      { algorithm: 'sha512', digest: long, name: 'tabbed' },
    ]);
  });
});

describe('findChecksum', () => {
  const find = (text: string, name = 'disk') => findChecksum(parseChecksums(text), name);

  it('takes SHA-512 before SHA-256', () => {
    expect(find(`${a}  disk\n${long}  disk\n`)).toMatchObject({ digest: long });
    expect(find(`${a}  ./disk\n`)).toMatchObject({ digest: a });
  });

  it('takes a digest alone, but not one of several', () => {
    expect(find(`${a}\n`)).toMatchObject({ digest: a });
    expect(find(`${a}\n${b}\n`)).toBe('missing');
    expect(find(`${a}\n${b}  other\n`)).toBe('missing');
  });

  it('takes the one digest of a list for this file alone, whatever name it has', () => {
    const alone = (text: string, list: string) => findChecksum(parseChecksums(text), 'disk', list);
    expect(alone(`${a}  disk-Build16.2\n`, 'disk.sha256')).toMatchObject({ digest: a });
    expect(alone(`${a}  disk-Build16.2\n${b}  disk-Build16.1\n`, 'disk.sha256')).toBe('missing');
    for (const list of ['SHA256SUMS', 'disk', 'diskette.sha256', 'other.disk.sha256', ''])
      expect(alone(`${a}  disk-Build16.2\n`, list)).toBe('missing');
  });

  it.each([`${a}  dir/disk`, `${a}  disk.qcow2`, `${a}  Disk`, ''])('does not take %j', (text) => {
    expect(find(text)).toBe('missing');
  });

  it('takes the same one twice, but no two', () => {
    expect(find(`${a}  disk\n${a} *disk\n`)).toMatchObject({ digest: a });
    expect(find(`${a}  disk\n${b}  disk\n`)).toBe('contradictory');
  });
});
