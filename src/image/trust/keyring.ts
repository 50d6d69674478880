import { LaunchError } from '../../host/launch-error.js';

const armorPattern = /-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n([\s\S]*?)-----END PGP PUBLIC KEY BLOCK-----/g;

/**
 * A keyring as gpgv takes it: binary. Armored keys, one or more, are decoded.
 *
 * @throws LaunchError ARGUMENT_INVALID for what is no key
 */
export function binaryKeyring(bytes: Buffer, shown: string): Buffer {
  const text = bytes.toString('latin1');
  const blocks = [...text.matchAll(armorPattern)].map((match) => decodeArmor(match[1] ?? ''));
  const binary = blocks.length === 0 ? bytes : Buffer.concat(blocks);
  // A public key packet (tag 6) of the old or the new form, or GnuPG's keybox.
  const first = binary[0] ?? 0;
  const isKey = (first & 0xfc) === 0x98 || first === 0xc6 || binary.toString('latin1', 8, 12) === 'KBXf';
  if (isKey) return binary;
  throw new LaunchError('ARGUMENT_INVALID', `the keyring "${shown}" holds no OpenPGP key`, {
    hint: 'a keyring is what  gpg --export KEY  writes',
  });
}

/** Headers, an empty line, base64, and a checksum that begins with `=`. */
function decodeArmor(armored: string): Buffer {
  const lines = armored.split(/\r?\n/);
  const body = lines.slice(lines.indexOf('') + 1).filter((line) => !line.startsWith('='));
  return Buffer.from(body.join(''), 'base64');
}
