import type { ImageFile } from './image-file.js';
import { externalDataBitRefusal } from './qcow2-extensions.js';

/** What the feature bits and the fields of version 3 say. */
export interface Qcow2Features {
  /** Its refcounts may be wrong (lazy refcounts, not closed cleanly); its content is whole. */
  readonly dirty: boolean;
  /** Compressed clusters are zstd, otherwise deflate. */
  readonly zstd: boolean;
  /** 16 with extended L2 entries, otherwise 8. */
  readonly l2EntryBytes: 8 | 16;
}

/** Incompatible feature bits (qcow2.rst, bytes 72 to 79). */
const dirtyBit = 0;
const corruptBit = 1;
const externalDataBit = 2;
const compressionTypeBit = 3;
const extendedL2Bit = 4;
const highestKnownBit = extendedL2Bit;

/** Autoclear feature bits (bytes 88 to 95). */
const rawExternalDataBit = 1;

const compressionTypes = { zlib: 0, zstd: 1 } as const;

/** qcow2.rst: version 3's header has at least 104 bytes; version 2 has 72 and none of these features. */
const smallestVersion3Header = 104;

/**
 * Reads what version 3 added. Unknown incompatible bits are refused, as the specification demands; unknown
 * compatible and autoclear bits change nothing for a reader and are let pass, except the autoclear bit
 * that says that the data is in another file.
 *
 * @throws LaunchError IMAGE_CORRUPT, IMAGE_EXTERNAL_DATA, IMAGE_FEATURE_UNKNOWN, IMAGE_TRUNCATED
 */
export async function checkFeatures(
  file: ImageFile,
  version: 2 | 3,
  clusterBytes: number,
): Promise<{ headerLength: number; features: Qcow2Features }> {
  if (version === 2) return { headerLength: 72, features: { dirty: false, zstd: false, l2EntryBytes: 8 } };
  const bytes = await file.part('qcow2 header', 0, smallestVersion3Header);
  const headerLength = bytes.readUInt32BE(100);
  if (headerLength < smallestVersion3Header || headerLength > clusterBytes || headerLength % 8 !== 0) {
    throw file.refusal('IMAGE_CORRUPT', `its header would have ${headerLength} bytes`);
  }
  file.requirePart('qcow2 header', 0, headerLength);

  const incompatible = bytes.readBigUInt64BE(72);
  const isSet = (bit: number): boolean => ((incompatible >> BigInt(bit)) & 1n) === 1n;
  for (let bit = highestKnownBit + 1; bit < 64; bit += 1) {
    if (!isSet(bit)) continue;
    throw file.refusal(
      'IMAGE_FEATURE_UNKNOWN',
      `it needs a feature of qcow2 that is not known here (incompatible bit ${bit})`,
      { details: { bit } },
    );
  }
  const rawExternalData = ((bytes.readBigUInt64BE(88) >> BigInt(rawExternalDataBit)) & 1n) === 1n;
  if (isSet(externalDataBit) || rawExternalData)
    throw await externalDataBitRefusal(file, headerLength, clusterBytes);
  if (isSet(corruptBit)) {
    throw file.refusal('IMAGE_CORRUPT', 'it is marked as corrupt', {
      hint: 'repair it where it was made, if it can be:  qemu-img check -r all, then copy it again',
    });
  }
  const refcountOrder = bytes.readUInt32BE(96);
  if (refcountOrder > 6) {
    throw file.refusal(
      'IMAGE_CORRUPT',
      `its refcounts would have 2^${refcountOrder} bits, at most 2^6 is allowed`,
    );
  }
  const extendedL2 = isSet(extendedL2Bit);
  if (extendedL2 && clusterBytes < 16384) {
    throw file.refusal(
      'IMAGE_CORRUPT',
      `its clusters of ${clusterBytes} bytes are too small for extended L2 entries`,
    );
  }
  const zstd = await checkCompressionType(file, headerLength, isSet(compressionTypeBit));
  return { headerLength, features: { dirty: isSet(dirtyBit), zstd, l2EntryBytes: extendedL2 ? 16 : 8 } };
}

async function checkCompressionType(
  file: ImageFile,
  headerLength: number,
  bitSet: boolean,
): Promise<boolean> {
  const byte =
    headerLength > smallestVersion3Header ? await file.part('qcow2 header', 104, 1) : Buffer.alloc(1);
  const type = byte.readUInt8(0);
  if (type !== compressionTypes.zlib && type !== compressionTypes.zstd) {
    throw file.refusal('IMAGE_FEATURE_UNKNOWN', `its compression (type ${type}) is not known here`);
  }
  if (bitSet === (type === compressionTypes.zlib)) {
    throw file.refusal('IMAGE_CORRUPT', 'its feature bits and its compression type contradict each other');
  }
  return type === compressionTypes.zstd;
}
