import { createHash } from 'node:crypto';
import { stat, utimes } from 'node:fs/promises';
import * as v from 'valibot';
import { findFileStat, listDirectory, writeFileAtomic, type FileStat } from '../host/files.js';
import type { Maker } from '../host/maker.js';
import type { HomePaths } from '../host/paths.js';
import { readRecord, renderRecord, wholeNumber } from '../host/record.js';
import { errnoOf, fileSystemError } from '../host/system-error.js';
import { baseFormats, type BaseFormat } from './base-format.js';

const baseRecordSchema = v.strictObject({
  name: v.string(),
  imageId: v.string(),
  /** Digest of the file as imported that it was made from. */
  imageSha256: v.string(),
  /** raw when absent, as in records before there was a choice. */
  format: v.optional(v.picklist(baseFormats)),
  virtualSizeBytes: wholeNumber,
  /** See digest.ts. null: in place, but not yet synced and read (see settle-base.ts). */
  digest: v.nullable(v.string()),
  /** What the digest is made of, chunk by chunk; absent in records from before that was kept. */
  chunks: v.optional(v.string()),
  /** The boot in which it was made; what is not settled is trusted in that one only. */
  bootId: v.optional(v.string()),
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
 * that is 0, which means the image's own size. A qcow2 base, which Nova has not, says so at the end.
 */
export function baseName(imageId: string, diskGib: number, format: BaseFormat = 'raw'): string {
  const size = diskGib === 0 ? '' : `_${diskGib}`;
  return `${imageDigestName(imageId)}${size}${format === 'raw' ? '' : `.${format}`}`;
}

export function baseFormatOf(base: Pick<BaseRecord, 'format'>): BaseFormat {
  return base.format ?? 'raw';
}

/** How the names of all bases of an image start. */
export function imageDigestName(imageId: string): string {
  return createHash('sha1').update(imageId.toLowerCase()).digest('hex');
}

const namePattern = /^[0-9a-f]{40}(_\d+)?(\.qcow2)?$/;

export function isBaseName(name: string): boolean {
  return namePattern.test(name);
}

export async function findBase(home: HomePaths, name: string): Promise<BaseRecord | undefined> {
  const paths = home.base(name);
  if ((await findFileStat(paths.file)) === undefined) return undefined;
  return await findBaseRecord(home, name);
}

/** The record alone, also of a base that is gone or not yet in place. */
export async function findBaseRecord(home: HomePaths, name: string): Promise<BaseRecord | undefined> {
  return readRecord(home.base(name).record, baseRecordSchema);
}

/** Names of the bases that are in place, whoever made them. */
export async function listBaseNames(home: HomePaths): Promise<readonly string[]> {
  return (await listDirectory(home.bases)).filter(isBaseName).sort();
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

/** The file's state as a record keeps it. */
export function seenState(found: FileStat): BaseRecord['seen'] {
  return {
    modifiedNs: found.modifiedNs.toString(),
    sizeBytes: found.sizeBytes,
    inode: found.inode.toString(),
  };
}

export function isSeenState(base: BaseRecord, found: FileStat): boolean {
  const seen = seenState(found);
  return (
    seen.modifiedNs === base.seen.modifiedNs &&
    seen.sizeBytes === base.seen.sizeBytes &&
    seen.inode === base.seen.inode
  );
}

/** Writes a record; when the base was last used stays as it was. */
export async function writeBaseRecord(home: HomePaths, base: BaseRecord, maker: Maker): Promise<void> {
  const lastUsed = await findLastUse(home, base.name);
  await writeFileAtomic(home.base(base.name).record, renderRecord(base), maker);
  if (lastUsed !== undefined) await markUsed(home, base.name, lastUsed);
}

/**
 * Writes down that a base is used now: as the modification time of its record's file, which costs a launch
 * nothing and cannot be half written. The base's own time is what its verification relies on.
 */
export async function markUsed(home: HomePaths, name: string, when: Date): Promise<void> {
  const { record } = home.base(name);
  try {
    await utimes(record, when, when);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw fileSystemError('write', record, error);
  }
}

/** When a launch, a start or a delete last had to do with a base; undefined when it has no record. */
export async function findLastUse(home: HomePaths, name: string): Promise<Date | undefined> {
  try {
    return (await stat(home.base(name).record)).mtime;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw fileSystemError('look at', home.base(name).record, error);
  }
}
