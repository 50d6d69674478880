import { isPowerOfTwo, isZero, uint64LittleEndian } from './format-check.js';
import { largestReadBytes, type ImageFile } from './image-file.js';

/** All offsets and sizes of VMDK are in sectors of 512 bytes. */
export const sectorBytes = 512;

/** The grain directory is at the end: the header's copy in the footer says where. */
const directoryAtEnd = 0xffff_ffff_ffff_ffffn;

const markerTypes = { endOfStream: 0, footer: 3 } as const;

/** Flags: newline test valid, redundant directory, zeroed grains, compressed, markers. */
const compressedFlag = 0x10000;
const knownFlags = 0x30007;
const redundantDirectoryFlag = 2;

/** The header of a hosted sparse extent; offsets and sizes in sectors. */
export interface SparseHeader {
  readonly flags: number;
  readonly capacity: number;
  readonly grainSectors: number;
  readonly descriptorOffset: number;
  readonly descriptorSectors: number;
  readonly entriesPerTable: number;
  readonly redundantDirectory: number;
  readonly directory: number;
  readonly directoryIsAtEnd: boolean;
  readonly overheadSectors: number;
  readonly compression: number;
}

/**
 * @param offset In bytes.
 * @throws LaunchError IMAGE_CORRUPT, IMAGE_FEATURE_UNKNOWN, IMAGE_TRUNCATED
 */
export async function readSparseHeader(file: ImageFile, offset: number): Promise<SparseHeader> {
  const bytes = await file.part('VMDK header', offset, sectorBytes);
  const version = bytes.readUInt32LE(4);
  if (version < 1 || version > 3) {
    throw file.refusal('IMAGE_FEATURE_UNKNOWN', `it is VMDK of version ${version}, known are 1 to 3`);
  }
  const header: SparseHeader = {
    flags: bytes.readUInt32LE(8),
    capacity: uint64LittleEndian(bytes, 12),
    grainSectors: uint64LittleEndian(bytes, 20),
    descriptorOffset: uint64LittleEndian(bytes, 28),
    descriptorSectors: uint64LittleEndian(bytes, 36),
    entriesPerTable: bytes.readUInt32LE(44),
    redundantDirectory: uint64LittleEndian(bytes, 48),
    directory: uint64LittleEndian(bytes, 56),
    directoryIsAtEnd: bytes.readBigUInt64LE(56) === directoryAtEnd,
    overheadSectors: uint64LittleEndian(bytes, 64),
    compression: bytes.readUInt16LE(77),
  };
  const unknownFlags = (header.flags & ~knownFlags) >>> 0;
  if (unknownFlags !== 0 || header.compression > 1) {
    throw file.refusal(
      'IMAGE_FEATURE_UNKNOWN',
      unknownFlags === 0
        ? `its compression (${header.compression}) is not known here`
        : `it has flags that are not known here (0x${unknownFlags.toString(16)})`,
    );
  }
  if ((header.flags & 1) !== 0 && bytes.subarray(73, 77).toString('latin1') !== '\n \r\n') {
    throw file.refusal(
      'IMAGE_CORRUPT',
      'its line ends were changed on the way, as a transfer in text mode does',
    );
  }
  if (!isPowerOfTwo(header.grainSectors) || header.grainSectors > 0x200000) {
    throw file.refusal('IMAGE_CORRUPT', `its grains would have ${header.grainSectors} sectors`);
  }
  if (header.entriesPerTable < 1 || header.entriesPerTable > 512) {
    throw file.refusal('IMAGE_CORRUPT', `its grain tables would have ${header.entriesPerTable} entries`);
  }
  if (((header.flags & compressedFlag) !== 0) !== (header.compression === 1)) {
    throw file.refusal('IMAGE_CORRUPT', 'its flags and its compression contradict each other');
  }
  return header;
}

/** The footer: a marker, a copy of the header that knows where the directory is, and the end of the stream. */
export async function readFooter(file: ImageFile, header: SparseHeader): Promise<SparseHeader> {
  const offset = file.lengthBytes - 3 * sectorBytes;
  if (offset < sectorBytes || file.lengthBytes % sectorBytes !== 0) {
    throw file.refusal('IMAGE_TRUNCATED', 'its footer, due in its last 1536 bytes, is missing');
  }
  const bytes = await file.part('footer', offset, 3 * sectorBytes);
  const endMarker = bytes.subarray(2 * sectorBytes);
  if (
    bytes.readUInt32LE(8) !== 0 ||
    bytes.readUInt32LE(12) !== markerTypes.footer ||
    bytes.subarray(sectorBytes, sectorBytes + 4).toString('latin1') !== 'KDMV' ||
    !isZero(endMarker.subarray(0, 12)) ||
    endMarker.readUInt32LE(12) !== markerTypes.endOfStream
  ) {
    throw file.refusal('IMAGE_TRUNCATED', 'its footer, due in its last 1536 bytes, is missing');
  }
  const footer = await readSparseHeader(file, offset + sectorBytes);
  const same = (['flags', 'capacity', 'grainSectors', 'entriesPerTable', 'compression'] as const).every(
    (field) => footer[field] === header[field],
  );
  if (!same || footer.directoryIsAtEnd)
    throw file.refusal('IMAGE_CORRUPT', 'its footer and its header contradict each other');
  return footer;
}

/** The grain directories must lie in the file, and point into it. */
export async function checkDirectory(file: ImageFile, header: SparseHeader): Promise<void> {
  const { capacity, entriesPerTable, grainSectors, directory, redundantDirectory, flags } = header;
  file.requirePart('metadata', 0, header.overheadSectors * sectorBytes);
  const entries = Math.ceil(capacity / (entriesPerTable * grainSectors));
  if (directory < 1) throw file.refusal('IMAGE_CORRUPT', 'it has no grain directory');
  file.requirePart('grain directory', directory * sectorBytes, entries * 4);
  if ((flags & redundantDirectoryFlag) !== 0) {
    file.requirePart('second grain directory', redundantDirectory * sectorBytes, entries * 4);
  }
  const bytes = await file.available(directory * sectorBytes, Math.min(entries * 4, largestReadBytes));
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    const table = bytes.readUInt32LE(at);
    // 0 is "none", 1 "all zero".
    if (table > 1) file.requirePart(`grain table ${at / 4}`, table * sectorBytes, entriesPerTable * 4);
  }
}
