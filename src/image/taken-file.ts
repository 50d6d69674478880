import type { Work } from '../host/work.js';
import type { DiskFormat } from '../qemu-img/disk-format.js';
import type { TakenDigests } from './digests.js';
import type { DigestAlgorithm } from './trust/checksum-list.js';
import type { PassingSignature } from './trust/signature.js';
import type { Compression } from './unpack/compression.js';

/** A file as it was taken in. */
export interface TakenFile {
  /** Of the file that is stored. */
  readonly stored: TakenDigests;
  /** Of the file as it came; the same object unless something was unpacked. */
  readonly came: TakenDigests;
  readonly compression: Compression | undefined;
  readonly isBox: boolean;
  readonly reflinked: boolean;
  /** What a box says that its disk is. */
  readonly declaredFormat: DiskFormat | undefined;
  /** Fingerprint of the key that signed the file as it came, where that was checked. */
  readonly signedBy: string | undefined;
}

export interface TakeInOptions {
  /** Whose file system the target is on. */
  readonly directory: string;
  readonly algorithms: readonly DigestAlgorithm[];
  /** Checked over the file as it comes. */
  readonly signature?: PassingSignature | undefined;
  /** Which disk of a box; by default its first. */
  readonly boxDisk?: string | undefined;
  readonly work: Work;
  readonly progress: (message: string, doneBytes: number, totalBytes?: number) => void;
}
