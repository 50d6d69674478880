import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CommandResult, CommandRunner } from '../../host/command.js';
import { openCommandSink } from '../../host/command-sink.js';
import { LaunchError } from '../../host/launch-error.js';
import type { Work } from '../../host/work.js';
import { binaryKeyring } from './keyring.js';

export interface SignedText {
  /** What was signed, and nothing that stood around it. */
  readonly text: string;
  /** Fingerprint of the primary key, in upper-case hexadecimal. */
  readonly fingerprint: string;
}

interface Signers {
  readonly keyring: { readonly bytes: Buffer; readonly shown: string };
  /** The keys that may sign; any of the keyring when undefined. */
  readonly fingerprints?: readonly string[] | undefined;
  /** What messages call that which is signed. */
  readonly shown: string;
}

export interface SignatureCheck extends Signers {
  readonly content: Buffer;
  /** Undefined for a clear-signed content. */
  readonly detached: Buffer | undefined;
}

/** A detached signature of a file that passes by. */
export interface PassingSignature extends Signers {
  readonly detached: Buffer;
  /** A place of its own for the files that gpgv reads; the caller removes it. */
  readonly directory: string;
}

/** A file that is being compared with its signature. */
export interface SignatureWitness {
  /** @throws LaunchError IMAGE_SIGNATURE_INVALID, COMMAND_MISSING when the rest need not be read */
  add(chunk: Uint8Array): Promise<void>;
  /**
   * @returns the fingerprint of the primary key, in upper-case hexadecimal
   * @throws LaunchError IMAGE_SIGNATURE_INVALID, COMMAND_MISSING, INTERRUPTED
   */
  end(): Promise<string>;
  leave(): Promise<void>;
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
  await writeFile(file('content'), check.content);
  if (check.detached !== undefined) await writeFile(file('signature'), check.detached);
  const common = await commonArguments(check, directory);
  const result = await runner.run(
    'gpgv',
    check.detached === undefined
      ? [...common, '--output', file('text'), file('content')]
      : [...common, file('signature'), file('content')],
    { signal: work.signal, timeoutMs: 60_000 },
  );
  const fingerprint = signerIn(result, check, check.detached === undefined ? 'inline' : 'detached');
  const content = check.detached === undefined ? await readFile(file('text')) : check.content;
  return { text: content.toString('utf8'), fingerprint };
}

/**
 * Has gpgv read a file while it is read for other ends.
 *
 * @throws LaunchError ARGUMENT_INVALID for a keyring without keys
 */
export async function witnessSignature(
  signature: PassingSignature,
  signal?: AbortSignal,
): Promise<SignatureWitness> {
  const { directory } = signature;
  await mkdir(directory, { mode: 0o700, recursive: true });
  const file = join(directory, 'signature');
  await writeFile(file, signature.detached);
  const common = await commonArguments(signature, directory);
  const gpgv = openCommandSink(['gpgv', ...common, file, '-'], { signal });
  const end = async () => signerIn(await gpgv.end(), signature, 'detached');
  return {
    add: async (chunk) => {
      if (await gpgv.write(chunk)) return;
      await end();
      throw new Error('gpgv accepted a signature of a file that it had not read');
    },
    end,
    leave: () => gpgv.leave(),
  };
}

async function commonArguments({ keyring }: Signers, directory: string): Promise<string[]> {
  const file = join(directory, 'keyring.gpg');
  await writeFile(file, binaryKeyring(keyring.bytes, keyring.shown));
  return ['--homedir', directory, '--status-fd', '1', '--keyring', file];
}

/** Who signed, by what gpgv says. @throws LaunchError IMAGE_SIGNATURE_INVALID */
function signerIn(result: CommandResult, check: Signers, form: 'inline' | 'detached'): string {
  const status = result.stdout.split('\n').filter((line) => line.startsWith('[GNUPG:] '));
  const has = (word: string) => status.some((line) => line.startsWith(`[GNUPG:] ${word} `));
  const refuse = (reason: string) =>
    new LaunchError('IMAGE_SIGNATURE_INVALID', `refused "${check.shown}": ${reason}`, {
      hint: 'do not use the image; get it, its checksums, signature and key from their maker again',
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
  if (result.exitCode !== 0 && (form === 'inline' || !has('ERRSIG'))) {
    throw refuse('gpgv did not accept its signature');
  }
  return fingerprint;
}
