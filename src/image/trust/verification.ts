import { open } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import type { CommandRunner } from '../../host/command.js';
import { removeTree } from '../../host/files.js';
import { LaunchError } from '../../host/launch-error.js';
import { fileSystemError } from '../../host/system-error.js';
import type { Work } from '../../host/work.js';
import type { Fetching } from '../fetch/download.js';
import { fetchSmall } from '../fetch/fetch-small.js';
import { isRemote, parseRemoteLocation } from '../fetch/remote-location.js';
import { algorithmOf, findChecksum, parseChecksums, type DigestAlgorithm } from './checksum-list.js';
import { binaryKeyring } from './keyring.js';
import { isClearSigned, verifySignature, type PassingSignature, type SignatureCheck } from './signature.js';

/** What a file is to be checked by. Files are paths or URLs. */
export interface Verification {
  /** Hexadecimal. */
  readonly sha256?: string | undefined;
  readonly sha512?: string | undefined;
  /** A list of digests: SHA256SUMS, CHECKSUM, or a digest alone. */
  readonly checksums?: string | undefined;
  /** A detached signature of `checksums`, or without them of the file itself; a clear-signed list needs none. */
  readonly signature?: string | undefined;
  /** The keys that may sign: a file, or keys at hand with their fingerprints. */
  readonly keyring?: string | TrustedKeys | undefined;
  /** How the list calls the file, by default as it is called where it comes from. */
  readonly fileName?: string | undefined;
}

export interface TrustedKeys {
  readonly shown: string;
  readonly bytes: Buffer;
  readonly fingerprints: readonly string[];
}

/** A digest that the file as downloaded must have, and who says so. */
export interface ExpectedDigest {
  readonly algorithm: DigestAlgorithm;
  readonly digest: string;
  /** `digest`: who asked. `checksums`: a list whose signature, if any, was not checked. `signature`: a signed list. */
  readonly by: 'digest' | 'checksums' | 'signature';
  /** The list, for people. */
  readonly checksums?: string;
  /** Fingerprint of the key that signed it. */
  readonly key?: string;
}

export interface VerificationTools {
  readonly runner: CommandRunner;
  readonly fetching: Fetching;
  readonly allowHttp: boolean | undefined;
  /** Made for the check, and removed after it. */
  readonly scratchDirectory: string;
}

const maximumBytes = 1024 * 1024;

/**
 * The digests that a file must have, the weightiest first; none when nothing says.
 *
 * @throws LaunchError ARGUMENT_INVALID, IMAGE_CHECKSUM_MISSING, IMAGE_SIGNATURE_INVALID, DOWNLOAD_FAILED
 */
export async function expectedDigests(
  verification: Verification,
  fileName: string,
  tools: VerificationTools,
  work: Work,
): Promise<readonly ExpectedDigest[]> {
  const given = [
    givenDigest('sha256', verification.sha256),
    givenDigest('sha512', verification.sha512),
  ].filter((digest) => digest !== undefined);
  const { checksums } = verification;
  if (checksums === undefined) return given;
  const listed = await listedDigest(checksums, verification, verification.fileName ?? fileName, tools, work);
  return listed.by === 'signature' ? [listed, ...given] : [...given, listed];
}

/**
 * The signature that the file itself must have; undefined when nobody asks for one, or for one of checksums.
 *
 * @param shown what messages call the file
 * @throws LaunchError ARGUMENT_INVALID, DOWNLOAD_FAILED
 */
export async function expectedSignature(
  { checksums, signature, keyring }: Verification,
  shown: string,
  tools: VerificationTools,
  work: Work,
): Promise<PassingSignature | undefined> {
  if (checksums !== undefined) return undefined;
  if (signature === undefined) {
    if (typeof keyring !== 'string') return undefined;
    throw new LaunchError('ARGUMENT_INVALID', 'a keyring is for a signature, and none is given', {
      hint: 'add --signature URL, of the file itself or of --checksums URL',
    });
  }
  if (keyring === undefined) throw keyringMissing();
  return {
    shown,
    detached: await readFileOrUrl(signature, tools, work),
    ...(await readSigners(keyring, tools, work)),
    directory: tools.scratchDirectory,
  };
}

async function listedDigest(
  checksums: string,
  verification: Verification,
  fileName: string,
  tools: VerificationTools,
  work: Work,
): Promise<ExpectedDigest> {
  const shown = showFile(checksums);
  const content = await readFileOrUrl(checksums, tools, work);
  const signed = await signedText(content, shown, verification, tools, work);
  const lines = parseChecksums(signed?.text ?? content.toString('utf8'));
  const found = findChecksum(lines, fileName, basename(shown));
  if (found === 'missing' || found === 'contradictory') {
    throw new LaunchError(
      'IMAGE_CHECKSUM_MISSING',
      found === 'missing'
        ? `the checksums "${shown}" have no SHA-256 or SHA-512 of "${fileName}"`
        : `the checksums "${shown}" have two digests of "${fileName}"`,
      { hint: 'see whether they belong to this file, or check it by --sha256 DIGEST' },
    );
  }
  const { algorithm, digest } = found;
  return signed === undefined
    ? { algorithm, digest, by: 'checksums', checksums: shown }
    : { algorithm, digest, by: 'signature', checksums: shown, key: signed.fingerprint };
}

/** Undefined when nobody asks for a signature. */
async function signedText(
  content: Buffer,
  shown: string,
  verification: Verification,
  tools: VerificationTools,
  work: Work,
): Promise<{ readonly text: string; readonly fingerprint: string } | undefined> {
  const { signature, keyring } = verification;
  if (keyring === undefined) {
    if (signature === undefined) {
      if (isClearSigned(content)) {
        const message = `"${shown}" is signed, which is not checked: --keyring FILE says who may sign`;
        work.onEvent?.({ type: 'notice', message });
      }
      return undefined;
    }
    throw keyringMissing();
  }
  const sameFile = signature !== undefined && signature === verification.checksums;
  if ((signature === undefined || sameFile) && !isClearSigned(content)) {
    throw new LaunchError('IMAGE_SIGNATURE_INVALID', `the checksums "${shown}" are not signed`, {
      hint: 'name their signature:  --signature URL',
    });
  }
  const check: SignatureCheck = {
    content,
    shown,
    detached: signature === undefined || sameFile ? undefined : await readFileOrUrl(signature, tools, work),
    ...(await readSigners(keyring, tools, work)),
  };
  try {
    return await verifySignature(tools.runner, check, tools.scratchDirectory, work);
  } finally {
    await removeTree(tools.scratchDirectory);
  }
}

async function readSigners(
  keyring: string | TrustedKeys,
  tools: VerificationTools,
  work: Work,
): Promise<Pick<PassingSignature, 'keyring' | 'fingerprints'>> {
  if (typeof keyring !== 'string') return { keyring, fingerprints: keyring.fingerprints };
  const bytes = await readFileOrUrl(keyring, tools, work);
  return { keyring: { bytes: binaryKeyring(bytes, showFile(keyring)), shown: showFile(keyring) } };
}

function keyringMissing(): LaunchError {
  return new LaunchError('ARGUMENT_INVALID', 'a signature needs the keys that may sign', {
    hint: 'add --keyring FILE',
  });
}

function givenDigest(algorithm: DigestAlgorithm, digest: string | undefined): ExpectedDigest | undefined {
  if (digest === undefined) return undefined;
  const lower = digest.trim().toLowerCase();
  if (algorithmOf(lower) === algorithm) return { algorithm, digest: lower, by: 'digest' };
  throw new LaunchError('ARGUMENT_INVALID', `"${digest}" is not a digest of ${algorithm}`, {
    hint: `it has ${algorithm === 'sha256' ? 64 : 128} hexadecimal digits`,
  });
}

async function readFileOrUrl(fileOrUrl: string, tools: VerificationTools, work: Work): Promise<Buffer> {
  if (isRemote(fileOrUrl)) {
    const { allowHttp, fetching } = tools;
    const location = parseRemoteLocation(fileOrUrl, { allowHttp });
    return await fetchSmall(location, fetching, { maximumBytes, allowHttp, work });
  }
  const path = resolve(fileOrUrl);
  try {
    const handle = await open(path, 'r');
    try {
      const buffer = Buffer.alloc(maximumBytes + 1);
      let length = 0;
      for (;;) {
        const { bytesRead } = await handle.read(buffer, length, buffer.length - length);
        if (bytesRead === 0) return buffer.subarray(0, length);
        length += bytesRead;
        if (length > maximumBytes) {
          throw new LaunchError('ARGUMENT_INVALID', `"${path}" is larger than ${maximumBytes} bytes`);
        }
      }
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw fileSystemError('read', path, error);
  }
}

function showFile(fileOrUrl: string): string {
  return isRemote(fileOrUrl)
    ? parseRemoteLocation(fileOrUrl, { allowHttp: true }).shown
    : basename(fileOrUrl);
}
