import { LaunchError } from '../../host/launch-error.js';

const keyTypes =
  /(?:^|\s)((?:ssh-(?:ed25519|rsa|dss)|ecdsa-sha2-nistp(?:256|384|521)|sk-(?:ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com)(?:-cert-v01@openssh\.com)?)\s+(\S+)/;

/** The form of what a file of keys holds. */
export type KeyFileKind = 'public' | 'private';

/** A private key in any form that tools write: OpenSSH's, PEM, PuTTY's. */
export function keyFileKind(content: string): KeyFileKind {
  return /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----|^PuTTY-User-Key-File-\d/m.test(content)
    ? 'private'
    : 'public';
}

/**
 * The public keys of a file in the form of authorized_keys: one a line, with options before it or not.
 *
 * @param what the file or agent, for people
 * @throws LaunchError ARGUMENT_INVALID
 */
export function parsePublicKeys(content: string, what: string): readonly string[] {
  if (content.includes('---- BEGIN SSH2 PUBLIC KEY ----')) {
    throw new LaunchError('ARGUMENT_INVALID', `the public key ${what} is in the form of RFC 4716`, {
      hint: `turn it into OpenSSH's:  ssh-keygen -i -f FILE > FILE.pub`,
    });
  }
  const keys: string[] = [];
  for (const [index, text] of content.split('\n').entries()) {
    const line = text.trim();
    if (line === '' || line.startsWith('#')) continue;
    if (!isPublicKey(line)) {
      throw new LaunchError('ARGUMENT_INVALID', `line ${index + 1} of ${what} is no ssh public key`, {
        hint: 'a public key is one line such as:  ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA… name@host',
      });
    }
    keys.push(line);
  }
  if (keys.length > 0) return keys;
  throw new LaunchError('ARGUMENT_INVALID', `there is no ssh public key in ${what}`, {
    hint: 'make one:  ssh-keygen -t ed25519',
  });
}

function isPublicKey(line: string): boolean {
  const [, type = '', encoded = ''] = keyTypes.exec(line) ?? [];
  if (type === '' || /[\u0000-\u001f\u007f]/.test(line)) return false;
  const blob = Buffer.from(encoded, 'base64');
  // The blob begins with the type once more (RFC 4253, 6.6): a key cut short or glued together shows here.
  return (
    blob.length > 4 + type.length &&
    blob.readUInt32BE(0) === type.length &&
    blob.toString('latin1', 4, 4 + type.length) === type
  );
}

/** The same key with another comment is the same key. */
export function distinctKeys(keys: readonly string[]): readonly string[] {
  const seen = new Map<string, string>();
  for (const key of keys) {
    const id = keyTypes.exec(key)?.[2] ?? key;
    if (!seen.has(id)) seen.set(id, key);
  }
  return [...seen.values()];
}
