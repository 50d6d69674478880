import { createHash } from 'node:crypto';
import * as v from 'valibot';
import { findFileStat, listDirectory } from '../host/files.js';
import type { HomePaths } from '../host/paths.js';
import { readRecord, wholeNumber } from '../host/record.js';

const baseRecordSchema = v.strictObject({
  name: v.string(),
  imageId: v.string(),
  /** Digest of the file as imported that it was made from. */
  imageSha256: v.string(),
  virtualSizeBytes: wholeNumber,
  /** See digest.ts. */
  digest: v.string(),
  /** How it came to be: from the image's file, or as a clone of another base of the same image. */
  made: v.picklist(['converted', 'reflinked']),
  createdAt: v.string(),
  /** When the content was last read and found to match the digest. */
  verifiedAt: v.string(),
  /** The file's state when that was so; as long as it is the same, the content is taken to be. */
  seen: v.strictObject({ modifiedNs: v.string(), sizeBytes: wholeNumber, inode: v.string() }),
});

export type BaseRecord = Readonly<v.InferOutput<typeof baseRecordSchema>>;

/**
 * Nova's name of a base (Folsom): SHA-1 of the image id's text, and the flavor's root disk in GiB unless
 * that is 0, which means the image's own size.
 */
export function baseName(imageId: string, diskGib: number): string {
  return diskGib === 0 ? imageDigestName(imageId) : `${imageDigestName(imageId)}_${diskGib}`;
}

function imageDigestName(imageId: string): string {
  return createHash('sha1').update(imageId.toLowerCase()).digest('hex');
}

export async function findBase(home: HomePaths, name: string): Promise<BaseRecord | undefined> {
  const paths = home.base(name);
  if ((await findFileStat(paths.file)) === undefined) return undefined;
  return await readRecord(paths.record, baseRecordSchema);
}

/** Names of the bases that are in place, whoever made them. */
export async function listBaseNames(home: HomePaths): Promise<readonly string[]> {
  return (await listDirectory(home.bases)).filter((name) => /^[0-9a-f]{40}(_\d+)?$/.test(name)).sort();
}

/** The bases that are in place and have a record, those of one image if it is given. */
export async function listBases(home: HomePaths, imageId?: string): Promise<readonly BaseRecord[]> {
  const bases: BaseRecord[] = [];
  for (const name of await listBaseNames(home)) {
    if (imageId !== undefined && !name.startsWith(imageDigestName(imageId))) continue;
    const base = await findBase(home, name);
    if (base !== undefined) bases.push(base);
  }
  return bases;
}
