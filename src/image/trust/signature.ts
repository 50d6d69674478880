import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommandRunner } from '../../host/command.js';
import { LaunchError } from '../../host/launch-error.js';
import type { Work } from '../../host/work.js';
import { binaryKeyring } from './keyring.js';

export interface SignedText {
  /** What was signed, and nothing that stood around it. */
  readonly text: string;
  /** Fingerprint of the primary key, in upper-case hexadecimal. */
  readonly fingerprint: string;
}

export interface SignatureCheck {
  readonly content: Buffer;
  /** Undefined for a clear-signed content. */
  readonly detached: Buffer | undefined;
  readonly keyring: { readonly bytes: Buffer; readonly shown: string };
  /** The keys that may sign; any of the keyring when undefined. */
  readonly fingerprints?: readonly string[] | undefined;
  /** What messages call the content. */
  readonly shown: string;
}

export function isClearSigned(content: Buffer): boolean {
  return content.includes('-----BEGIN PGP SIGNED MESSAGE-----');
}

/**
 * Has gpgv check a signature.
 *
 * @param directory an empty place for the files that gpgv reads and writes; the caller removes it
 * @throws LaunchError IMAGE_SIGNATURE_INVALID, COMMAND_MISSING
 */
export async function verifySignature(
  runner: CommandRunner,
  check: SignatureCheck,
  directory: string,
  work: Work = {},
): Promise<SignedText> {
  const file = (name: string) => join(directory, name);
  await mkdir(directory, { mode: 0o700 });
  await writeFile(file('keyring.gpg'), binaryKeyring(check.keyring.bytes, check.keyring.shown));
  await writeFile(file('content'), check.content);
  if (check.detached !== undefined) await writeFile(file('signature'), check.detached);
  const common = ['--homedir', directory, '--status-fd', '1', '--keyring', file('keyring.gpg')];
  const result = await runner.run(
    'gpgv',
    check.detached === undefined
      ? [...common, '--output', file('text'), file('content')]
      : [...common, file('signature'), file('content')],
    { signal: work.signal, timeoutMs: 60_000 },
  );
  const status = result.stdout.split('\n').filter((line) => line.startsWith('[GNUPG:] '));
  const has = (word: string) => status.some((line) => line.startsWith(`[GNUPG:] ${word} `));
  const refuse = (reason: string) =>
    new LaunchError('IMAGE_SIGNATURE_INVALID', `refused "${check.shown}": ${reason}`, {
      hint: 'do not use the image; get checksums, signature and key from their maker again',
      details: { gpgv: result.stderr.trim() },
    });
  if (has('BADSIG')) throw refuse('its signature is wrong: it was changed after it was signed');
  if (has('EXPKEYSIG') || has('REVKEYSIG') || has('EXPSIG')) {
    throw refuse('its signature, or the key that made it, has expired or was revoked');
  }
  const fingerprints = status
    .filter((line) => line.startsWith('[GNUPG:] VALIDSIG '))
    .map((line) => line.split(' '))
    // The last word is the primary key's; the signature may be a subkey's.
    .map((words) => (words[11] ?? words[2] ?? '').toUpperCase());
  const allowed = check.fingerprints?.map((fingerprint) => fingerprint.toUpperCase());
  const fingerprint = fingerprints.find((found) => allowed?.includes(found) ?? true);
  if (!has('GOODSIG') || fingerprint === undefined) {
    throw refuse(
      fingerprints.length > 0 || has('ERRSIG')
        ? `no signature of it was made by a key of "${check.keyring.shown}"`
        : 'it has no signature that can be read',
    );
  }
  // Of several signatures one may be unknown to us; but of clear-signed texts gpgv must have liked all.
  if (result.exitCode !== 0 && (check.detached === undefined || !has('ERRSIG'))) {
    throw refuse('gpgv did not accept its signature');
  }
  const content = check.detached === undefined ? await readFile(file('text')) : check.content;
  return { text: content.toString('utf8'), fingerprint };
}
