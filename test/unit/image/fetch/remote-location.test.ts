import { describe, expect, it } from 'vitest';
import {
  isRemote,
  parseRemoteLocation,
  redirectedLocation,
} from '../../../../src/image/fetch/remote-location.js';
import { launchErrorOf } from '../../host/launch-error-of.js';

describe('parseRemoteLocation', () => {
  it('keeps secrets apart', () => {
    const found = parseRemoteLocation('https://joe:p%40ss@example.org/a/my%20disk.qcow2?sig=x#y');
    expect(found.url.href).toBe('https://example.org/a/my%20disk.qcow2?sig=x');
    expect(found.authorization).toBe(`Basic ${Buffer.from('joe:p@ss').toString('base64')}`);
    expect(found.shown).toBe('https://example.org/a/my%20disk.qcow2?…');
    expect(found.fileName).toBe('my disk.qcow2');
  });

  it.each([
    'http://joe:s3cret@example.org/x?t=s3cret',
    'https://joe:s3cret@:bad/x?t=s3cret',
    'ftp://joe:s3cret@h/x',
  ])('refuses %s without showing its secrets', async (text) => {
    const error = await launchErrorOf(() => parseRemoteLocation(text));
    expect(error.code).toBe('ARGUMENT_INVALID');
    expect(`${error.message}${error.hint ?? ''}`).not.toContain('s3cret');
  });

  it.each([
    ['https://example.org/x', true],
    ['HTTP://example.org/x', true],
    ['/tmp/https:/x', false],
    ['disk.qcow2', false],
    ['C:\\disk', false],
  ])('%s is remote: %s', (text, expected) => {
    expect(isRemote(text)).toBe(expected);
  });
});

describe('redirectedLocation', () => {
  const from = parseRemoteLocation('https://joe:secret@example.org/a/b');

  it('keeps credentials on the same server only', () => {
    expect(redirectedLocation(from, '../c', {}).authorization).toBe(from.authorization);
    for (const target of ['https://other.org/c', 'https://example.org:8443/c', '//other.org/c']) {
      expect(redirectedLocation(from, target, {}).authorization).toBeUndefined();
    }
    expect(redirectedLocation(from, 'https://x:y@example.org/c', {}).url.username).toBe('');
  });

  it.each(['http://example.org/c', 'ftp://example.org/c', 'data:,x', 'https://'])(
    'refuses %s',
    async (target) => {
      expect((await launchErrorOf(() => redirectedLocation(from, target, { allowHttp: true }))).code).toBe(
        'DOWNLOAD_FAILED',
      );
    },
  );

  it('goes from http to http only when that is allowed', async () => {
    const plain = parseRemoteLocation('http://example.org/a', { allowHttp: true });
    expect(redirectedLocation(plain, '/b', { allowHttp: true }).shown).toBe('http://example.org/b');
    expect((await launchErrorOf(() => redirectedLocation(plain, '/b', {}))).code).toBe('DOWNLOAD_FAILED');
  });
});
