import { LaunchError } from '../host/launch-error.js';
import { formatBytes } from '../host/units.js';
import type { ImageRecord } from './image-record.js';
import type { TakenFile } from './taken-file.js';
import type { ExpectedDigest } from './trust/verification.js';

/** `SHA256SUMS, signed by D2EB…7C81`. That nobody signed a list is more than we can know. */
export function describeExpected(expected: readonly ExpectedDigest[]): string {
  const listed = expected.find((digest) => digest.checksums !== undefined);
  if (listed === undefined) return 'given';
  return listed.key === undefined
    ? `${listed.checksums ?? ''}, no signature checked`
    : `${listed.checksums ?? ''}, signed by ${listed.key}`;
}

/** @throws LaunchError IMAGE_DIGEST_MISMATCH */
export function checkDigests(
  displayName: string,
  taken: TakenFile,
  expected: readonly ExpectedDigest[],
): void {
  for (const { algorithm, digest, checksums } of expected) {
    const found = taken.came.of(algorithm);
    if (found === digest) continue;
    throw new LaunchError(
      'IMAGE_DIGEST_MISMATCH',
      `refused "${displayName}": its ${algorithm} is ${found ?? 'unknown'}, not ${digest}${checksums === undefined ? '' : ` as in "${checksums}"`}`,
      {
        hint: 'download or copy it again; if it stays so, the file or its published digest is not the right one',
        details: { algorithm, expected: digest, found },
      },
    );
  }
}

/** `241 MiB, xz, 2 GiB unpacked, sha256 5c2e01…9a01, digest as published`. */
export function describeTaken(taken: TakenFile, expected: readonly ExpectedDigest[]): string {
  const { sha256 } = taken.stored;
  const compressed = taken.compression ?? (taken.isBox ? 'box' : undefined);
  return [
    formatBytes(taken.came.lengthBytes),
    ...(compressed === undefined ? [] : [`${compressed}, ${formatBytes(taken.stored.lengthBytes)} unpacked`]),
    `sha256 ${sha256.slice(0, 6)}…${sha256.slice(-4)}`,
    ...(taken.reflinked ? ['shares its blocks'] : []),
    ...(taken.signedBy === undefined ? [] : [`signed by ${taken.signedBy}`]),
    ...(expected.length === 0
      ? []
      : [expected.some(({ by }) => by !== 'digest') ? 'digest as published' : 'digest as given']),
  ].join(', ');
}

/** What a record says of where its file came from. */
export function provenance(
  taken: TakenFile,
  expected: readonly ExpectedDigest[],
  isRemote: boolean,
): Pick<ImageRecord, 'downloaded' | 'verified'> {
  const { came, stored, compression, isBox } = taken;
  const downloaded = {
    sizeBytes: came.lengthBytes,
    sha256: came.sha256,
    compression: compression ?? null,
    archive: isBox ? ('vagrant-box' as const) : null,
  };
  const weightiest = taken.signedBy === undefined ? expected[0] : signedItself(taken, taken.signedBy);
  return {
    ...(came === stored ? {} : { downloaded }),
    ...(weightiest === undefined ? (isRemote ? { verified: null } : {}) : { verified: weightiest }),
  };
}

function signedItself({ came }: TakenFile, key: string): NonNullable<ImageRecord['verified']> {
  return { by: 'image-signature', algorithm: 'sha256', digest: came.sha256, key };
}
