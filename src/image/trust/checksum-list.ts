export type DigestAlgorithm = 'sha256' | 'sha512';

export interface ChecksumLine {
  readonly algorithm: DigestAlgorithm;
  /** Lower-case hexadecimal. */
  readonly digest: string;
  /** Undefined where the file has nothing but a digest. */
  readonly name: string | undefined;
}

/**
 * The digests of a list, in the forms of sha256sum (`hash  name`, `hash *name`), of BSD and Fedora
 * (`SHA256 (name) = hash`), and of a file with one digest alone. Other lines, such as comments and the armor of
 * a signature, say nothing.
 */
export function parseChecksums(text: string): readonly ChecksumLine[] {
  const lines: ChecksumLine[] = [];
  for (const line of text.split(/\r?\n/)) {
    const bsd = /^(SHA256|SHA512) \((.+)\) = ([0-9A-Fa-f]+)$/.exec(line);
    const gnu = /^([0-9A-Fa-f]+)(?:(?: [ *]|\t)(.+))?\s*$/.exec(line);
    const digest = (bsd?.[3] ?? gnu?.[1] ?? '').toLowerCase();
    const algorithm = algorithmOf(digest);
    if (algorithm === undefined) continue;
    if (bsd !== null && bsd[1]?.toLowerCase() !== algorithm) continue;
    lines.push({ algorithm, digest, name: bsd === null ? gnu?.[2]?.trim() : bsd[2] });
  }
  return lines;
}

/** By its length in hexadecimal. */
export function algorithmOf(digest: string): DigestAlgorithm | undefined {
  if (!/^[0-9a-f]+$/.test(digest)) return undefined;
  if (digest.length === 64) return 'sha256';
  return digest.length === 128 ? 'sha512' : undefined;
}

/**
 * The digest of a file by its name, SHA-512 before SHA-256. A list with one digest and no name is taken, and so
 * is one that is published beside the file for it alone (`disk.qcow2.sha256`): there, publishers of a `latest`
 * write the name that it has in full.
 *
 * @param listName what the list is called
 * @returns `missing`, or `contradictory` when the list has two for it
 */
export function findChecksum(
  lines: readonly ChecksumLine[],
  fileName: string,
  listName = '',
): ChecksumLine | 'missing' | 'contradictory' {
  const [only, ...others] = lines;
  if (only !== undefined && others.length === 0) {
    if (only.name === undefined || listName.startsWith(`${fileName}.`)) return only;
  }
  const found = lines.filter((line) => line.name === fileName || line.name === `./${fileName}`);
  const strongest = found.find((line) => line.algorithm === 'sha512') ?? found[0];
  if (strongest === undefined) return 'missing';
  const contradicted = found.some(
    (line) => line.algorithm === strongest.algorithm && line.digest !== strongest.digest,
  );
  return contradicted ? 'contradictory' : strongest;
}
