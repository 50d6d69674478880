import { LaunchError } from '../../host/launch-error.js';
import { runStep, type Work } from '../../host/work.js';
import { describeExpected } from '../provenance.js';
import { expectedDigests, type ExpectedDigest, type VerificationTools } from '../trust/verification.js';
import { filesOf, keysOf, type Architecture, type CatalogueEntry, type CatalogueFiles } from './catalogue.js';

/** What an entry's publisher has now. */
export interface PublishedImage {
  readonly files: CatalogueFiles;
  readonly expected: ExpectedDigest;
}

/**
 * Reads an entry's checksums, from the first of its places that has them.
 *
 * @throws LaunchError DOWNLOAD_FAILED, IMAGE_CHECKSUM_MISSING, IMAGE_SIGNATURE_INVALID, IMAGE_NOT_FOUND
 */
export async function readPublished(
  entry: CatalogueEntry,
  architecture: Architecture,
  tools: Omit<VerificationTools, 'allowHttp'>,
  work: Work,
): Promise<PublishedImage> {
  const places = filesOf(entry, architecture);
  const keyring = await keysOf(entry);
  return await runStep(
    work,
    'checksums',
    'reading the checksums',
    async () => {
      let missing: unknown;
      for (const files of places) {
        try {
          const { checksums, signature, fileName } = files;
          const how = { ...tools, allowHttp: entry.allowHttp };
          const [expected] = await expectedDigests({ checksums, signature, keyring }, fileName, how, work);
          if (expected === undefined) throw new Error(`no digest of "${fileName}" was read`);
          return { files, expected };
        } catch (error) {
          if (!isMissing(error)) throw error;
          missing ??= error;
        }
      }
      throw missing;
    },
    ({ expected }) => describeExpected([expected]),
  );
}

/** What moved elsewhere, as releases that are out of support do. */
function isMissing(error: unknown): boolean {
  const status = error instanceof LaunchError ? error.details?.['status'] : undefined;
  return status === 404 || status === 410 || status === 403;
}
