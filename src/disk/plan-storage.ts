import { formatBytes } from '../host/units.js';
import type { BaseFormat } from './base-format.js';

/** What was found out about the file system that keeps bases and instances. */
export interface StorageFacts {
  /** By its magic number: `ext4`, `xfs`, `nfs`, or the number itself. */
  readonly fileSystem: string;
  /** Other hosts may see it, and locks and times are only as good as its protocol. */
  readonly isNetwork: boolean;
  /** Files can share blocks (FICLONE). */
  readonly reflink: boolean;
  /** Files can be opened past the page cache. */
  readonly directIo: boolean;
  /** Holes in files take no space. */
  readonly sparse: boolean;
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** undefined where the file system makes inodes as it needs them. */
  readonly freeInodes: number | undefined;
}

export interface StoragePlan {
  readonly baseFormat: BaseFormat;
  /** How a base of a second size is made. */
  readonly secondSize: 'clone' | 'share';
  readonly cacheMode: 'none' | 'writeback';
  /** Each a sentence: what was chosen and why. */
  readonly reasons: readonly string[];
  /** Each a sentence: what may go wrong here. */
  readonly warnings: readonly string[];
}

const fewInodes = 1000;

/** Decides how bases are made on a file system; what the user asked for goes first. */
export function planStorage(facts: StorageFacts, asked: BaseFormat | undefined): StoragePlan {
  const baseFormat = asked ?? (facts.sparse ? 'raw' : 'qcow2');
  return {
    baseFormat,
    secondSize: facts.reflink ? 'clone' : 'share',
    cacheMode: facts.directIo ? 'none' : 'writeback',
    reasons: [
      formatReason(facts, asked),
      facts.reflink
        ? 'a base of a second size is a clone that shares its blocks, since files can share blocks here'
        : 'a second size uses the base that is there, and the overlay has the size, since files cannot share blocks here',
      facts.directIo
        ? 'guests open their disks past the page cache (cache none)'
        : 'guests use the page cache (cache writeback), since O_DIRECT does not work here',
    ],
    warnings: warningsOf(facts, baseFormat),
  };
}

function formatReason(facts: StorageFacts, asked: BaseFormat | undefined): string {
  if (asked !== undefined) return `bases are ${asked}, as asked for`;
  return facts.sparse
    ? 'bases are raw: the fastest to read, and holes take no space here'
    : 'bases are qcow2, since holes in a raw file would take space here';
}

function warningsOf(facts: StorageFacts, format: BaseFormat): readonly string[] {
  const warnings: string[] = [];
  if (facts.isNetwork) {
    warnings.push(
      `${facts.fileSystem} is a network file system: share a home between hosts only where its locks (OFD) reach all of them`,
    );
  }
  if (format === 'raw' && !facts.sparse) {
    warnings.push('a raw base takes its whole virtual size here, since holes are not kept');
  }
  if (facts.freeInodes !== undefined && facts.freeInodes < fewInodes) {
    warnings.push(`only ${facts.freeInodes} files can still be made (inodes)`);
  }
  if (facts.freeBytes < facts.totalBytes / 20) {
    warnings.push(`only ${formatBytes(facts.freeBytes)} are free: guests stop when their disks cannot grow`);
  }
  return warnings;
}

/** What a launch is about to write. Sizes in bytes. */
export interface LaunchNeeds {
  /** The base has to be made, and the image holds so much; undefined when it is there. */
  readonly newBaseBytes: number | undefined;
  readonly diskKind: 'overlay' | 'copy';
  /** What the base holds, or will hold: what a raw copy that is no clone takes. */
  readonly baseDataBytes: number;
  readonly virtualSizeBytes: number;
  /** The disk's space is taken at once. */
  readonly preallocated: boolean;
  readonly format: BaseFormat;
}

/** Tables of an overlay or a qcow2 base, the record, the log: never more for what they hold at first. */
const smallChangeBytes = 4 * 1024 ** 2;

/** Bytes that a launch takes before its guest writes anything. */
export function forecastBytes(needs: LaunchNeeds, facts: Pick<StorageFacts, 'reflink' | 'sparse'>): number {
  const base =
    needs.newBaseBytes === undefined
      ? 0
      : needs.format === 'raw' && !facts.sparse
        ? needs.virtualSizeBytes
        : needs.newBaseBytes;
  const copied = facts.reflink ? 0 : facts.sparse ? needs.baseDataBytes : needs.virtualSizeBytes;
  // A clone that is filled up shares what the base holds, and takes the rest.
  const disk = needs.preallocated
    ? needs.diskKind === 'copy' && facts.reflink
      ? Math.max(0, needs.virtualSizeBytes - needs.baseDataBytes)
      : needs.virtualSizeBytes
    : needs.diskKind === 'copy'
      ? copied
      : 0;
  return base + disk + smallChangeBytes;
}
