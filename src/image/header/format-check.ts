import type { ImageFile } from './image-file.js';

/** What a format's check found in a file that it did not refuse. */
export interface FormatFacts {
  readonly virtualSizeBytes: number;
  /** Undefined where the header does not tell. */
  readonly compressed: boolean | undefined;
  /** For people, in order: `version 3`, `no backing file`. */
  readonly facts: readonly string[];
}

/** One format's check. @throws LaunchError with the IMAGE_* code of what is wrong. */
export type FormatCheck = (file: ImageFile) => Promise<FormatFacts>;

/**
 * A 64-bit number of a header as a JavaScript number. Above 2^53 it is rounded, never made small: it stays
 * over every file's length and every limit it is compared with. Bit fields are read as bigint instead.
 */
export function uint64BigEndian(bytes: Buffer, offset: number): number {
  return Number(bytes.readBigUInt64BE(offset));
}

/** @see uint64BigEndian */
export function uint64LittleEndian(bytes: Buffer, offset: number): number {
  return Number(bytes.readBigUInt64LE(offset));
}

export function isPowerOfTwo(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0 && Number.isInteger(Math.log2(value));
}

export function isZero(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0);
}
