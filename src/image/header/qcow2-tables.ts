import { uint64BigEndian } from './format-check.js';
import { largestReadBytes, type ImageFile } from './image-file.js';
import type { Qcow2Features } from './qcow2-features.js';

/** Fields of a qcow2 header, big-endian. Offsets and lengths in bytes unless the name says otherwise. */
export interface Qcow2Header {
  readonly version: 2 | 3;
  readonly headerLength: number;
  readonly clusterBytes: number;
  readonly virtualSizeBytes: number;
  readonly l1Entries: number;
  readonly l1Offset: number;
  readonly features: Qcow2Features;
}

/** QEMU's own limits (block/qcow2.h): 32 MiB of L1 table, 8 MiB of refcount table, 65,536 snapshots. */
const largestL1Entries = (32 * 1024 * 1024) / 8;
const largestRefcountTableBytes = 8 * 1024 * 1024;
const mostSnapshots = 65536;

/** A snapshot table entry has at least these bytes before its variable part. */
const smallestSnapshotBytes = 40;

/** Bits 9 to 55 of an L1 entry: where its L2 table is, in bytes. */
const offsetMask = 0x00ff_ffff_ffff_fe00n;

/** How many L2 tables are looked at, and how much of each, in bytes. */
const tablesLookedAt = 4;
const tableBytesLookedAt = 65536;

/** Bit 62 of an L2 entry: the cluster is compressed (qcow2.rst, "L2 table entry"). */
const compressedBit = 1n << 62n;

/** The L1 table must serve the whole disk, lie in the file, and point into it. */
export async function checkL1Table(file: ImageFile, header: Qcow2Header): Promise<void> {
  const { clusterBytes, l1Entries, l1Offset, virtualSizeBytes, features } = header;
  const bytesPerL1Entry = clusterBytes * (clusterBytes / features.l2EntryBytes);
  const needed = Math.ceil(virtualSizeBytes / bytesPerL1Entry);
  if (l1Entries < needed || l1Entries > largestL1Entries) {
    throw file.refusal(
      'IMAGE_CORRUPT',
      `its L1 table has ${l1Entries} entries, its virtual disk needs ${needed}`,
      {
        details: { l1Entries, neededEntries: needed, limitEntries: largestL1Entries },
      },
    );
  }
  if (l1Offset < header.headerLength || l1Offset % clusterBytes !== 0) {
    throw file.refusal(
      'IMAGE_CORRUPT',
      `its L1 table would begin at byte ${l1Offset}, which no cluster does`,
    );
  }
  file.requirePart('L1 table', l1Offset, l1Entries * 8);
  const table = await file.available(l1Offset, Math.min(l1Entries * 8, largestReadBytes));
  for (let at = 0; at + 8 <= table.length; at += 8) {
    const l2Offset = Number(table.readBigUInt64BE(at) & offsetMask);
    if (l2Offset === 0) continue;
    if (l2Offset % clusterBytes !== 0) {
      throw file.refusal('IMAGE_CORRUPT', `entry ${at / 8} of its L1 table points into a cluster's middle`);
    }
    file.requirePart('L2 table', l2Offset, 8);
  }
}

/** The refcount table must lie in the file; its entries are for writers. */
export function checkRefcountTable(file: ImageFile, bytes: Buffer, clusterBytes: number): void {
  const offset = uint64BigEndian(bytes, 48);
  const length = bytes.readUInt32BE(56) * clusterBytes;
  if (offset === 0 || offset % clusterBytes !== 0 || length === 0 || length > largestRefcountTableBytes) {
    throw file.refusal('IMAGE_CORRUPT', `its refcount table would have ${length} bytes at byte ${offset}`);
  }
  file.requirePart('refcount table', offset, length);
}

/** @returns the number of internal snapshots */
export function checkSnapshotTable(file: ImageFile, bytes: Buffer, clusterBytes: number): number {
  const count = bytes.readUInt32BE(60);
  const offset = uint64BigEndian(bytes, 64);
  if (count > mostSnapshots || offset % clusterBytes !== 0 || (count > 0 && offset === 0)) {
    throw file.refusal('IMAGE_CORRUPT', `it would have ${count} snapshots in a table at byte ${offset}`);
  }
  if (count === 0) return 0;
  file.requirePart('snapshot table', offset, count * smallestSnapshotBytes);
  return count;
}

/**
 * Whether one of the first clusters is compressed. The header does not say it, and to be sure of the
 * opposite would mean to read every table: so true, or undefined for "not seen".
 * Presumes that the L1 table has been checked.
 */
export async function looksCompressed(file: ImageFile, header: Qcow2Header): Promise<true | undefined> {
  const { l1Entries, l1Offset, clusterBytes, features } = header;
  const l1 = await file.available(l1Offset, Math.min(l1Entries * 8, tableBytesLookedAt));
  let looked = 0;
  for (let at = 0; at + 8 <= l1.length && looked < tablesLookedAt; at += 8) {
    const l2Offset = Number(l1.readBigUInt64BE(at) & offsetMask);
    if (l2Offset === 0) continue;
    looked += 1;
    const l2 = await file.available(l2Offset, Math.min(clusterBytes, tableBytesLookedAt));
    for (let entry = 0; entry + 8 <= l2.length; entry += features.l2EntryBytes) {
      if ((l2.readBigUInt64BE(entry) & compressedBit) !== 0n) return true;
    }
  }
  return undefined;
}
