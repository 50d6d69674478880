import { describe, expect, it } from 'vitest';

import { distinctKeys, keyFileKind, parsePublicKeys } from '../../../../src/guest/seed/public-keys.js';

const ed25519 =
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA+Cfpl4/cTEVRBq96j9x5OhggqH1OKJfbAJjBaJd8Ic tester@example';
const ecdsa =
  'ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrYMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg=';

describe('parsePublicKeys', () => {
  it('takes several of a file, and leaves out what is none', () => {
    expect(parsePublicKeys(`# mine\r\n${ed25519}\r\n\r\n${ecdsa}\n`, 'keys')).toEqual([ed25519, ecdsa]);
  });

  it('takes options before a key, as authorized_keys has them', () => {
    const key = `from="10.0.0.0/8",no-pty ${ed25519}`;
    expect(parsePublicKeys(key, 'keys')).toEqual([key]);
  });

  it.each([
    ['cut short', ed25519.slice(0, 30)],
    ['of another type than it says', ed25519.replace('ssh-ed25519 ', 'ssh-rsa ')],
    ['of no known type', 'ssh-foo AAAA x'],
    ['no key at all', 'hello'],
    ['with a control character', `${ed25519}\u001b[2J`],
  ])('refuses a key %s, and says in which line', (_, line) => {
    expect(() => parsePublicKeys(`${ecdsa}\n${line}`, '"k.pub"')).toThrow(
      expect.objectContaining({
        code: 'ARGUMENT_INVALID',
        message: 'line 2 of "k.pub" is no ssh public key',
      }),
    );
  });

  it('refuses an empty file', () => {
    expect(() => parsePublicKeys('\n# nothing\n', '"k.pub"')).toThrow(
      'there is no ssh public key in "k.pub"',
    );
  });

  it('knows the form of RFC 4716, and how to be rid of it', () => {
    expect(() => parsePublicKeys('---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n', 'k')).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('ssh-keygen -i') as unknown }),
    );
  });
});

describe('keyFileKind', () => {
  it.each([
    ['-----BEGIN OPENSSH PRIVATE KEY-----\n', 'private'],
    ['Proc-Type: x\n-----BEGIN RSA PRIVATE KEY-----\n', 'private'],
    ['-----BEGIN ENCRYPTED PRIVATE KEY-----', 'private'],
    ['PuTTY-User-Key-File-3: ssh-ed25519\n', 'private'],
    [ed25519, 'public'],
  ])('tells %j', (content, kind) => {
    expect(keyFileKind(content)).toBe(kind);
  });
});

it('a key with another comment is the same key', () => {
  expect(distinctKeys([ed25519, ecdsa, ed25519.replace('tester@example', 'other')])).toEqual([
    ed25519,
    ecdsa,
  ]);
});
