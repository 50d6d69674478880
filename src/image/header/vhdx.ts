import { crc32cWithoutField } from './crc32c.js';
import { isZero, uint64LittleEndian, type FormatFacts } from './format-check.js';
import { largestReadBytes, type ImageFile } from './image-file.js';
import { readVhdxMetadata, type VhdxMetadata } from './vhdx-metadata.js';
import { guidOf } from './vhdx-guid.js';

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;

/** Where the headers and the region table are, in bytes ([MS-VHDX] 2.2). */
const headerOffsets = [64 * kibibyte, 128 * kibibyte] as const;
const regionTableOffset = 192 * kibibyte;

const batGuid = '2dc27766-f623-4200-9d64-115e9bfd4a08';
const metadataGuid = '8b7ca206-4790-4b9a-b8fe-575f050f886e';

/** States of a payload block in the block allocation table ([MS-VHDX] 2.5.1.1). */
const fullyPresent = 6n;
const partiallyPresent = 7n;

interface Region {
  readonly what: string;
  readonly offset: number;
  readonly lengthBytes: number;
}

/**
 * Hyper-V's VHDX, version 1, little-endian: [MS-VHDX], and QEMU's block/vhdx.c. Two headers (the one with
 * the higher sequence number counts), a region table that says where the block allocation table and the
 * metadata are, and a log that must be empty. Sizes in bytes.
 */
export async function checkVhdx(file: ImageFile): Promise<FormatFacts> {
  const log = await checkHeader(file);
  const { bat, metadata: metadataRegion } = await readRegions(file, log);
  const metadata = await readVhdxMetadata(file, metadataRegion.offset, metadataRegion.lengthBytes);
  await checkBlocks(file, bat, metadata);
  return {
    virtualSizeBytes: metadata.virtualSizeBytes,
    compressed: false,
    facts: [metadata.isFixed ? 'fixed' : 'dynamic', 'no parent', 'closed cleanly'],
  };
}

/** @returns where the log is */
async function checkHeader(file: ImageFile): Promise<Region> {
  let current: { bytes: Buffer; sequence: bigint } | undefined;
  for (const offset of headerOffsets) {
    const bytes = await file.part('VHDX header', offset, 4 * kibibyte);
    const isValid =
      bytes.subarray(0, 4).toString('latin1') === 'head' &&
      crc32cWithoutField(bytes, 4) === bytes.readUInt32LE(4);
    if (!isValid) continue;
    const sequence = bytes.readBigUInt64LE(8);
    if (current === undefined || sequence > current.sequence) current = { bytes, sequence };
    else if (sequence === current.sequence && !bytes.equals(current.bytes)) {
      throw file.refusal('IMAGE_CORRUPT', 'its two headers contradict each other');
    }
  }
  if (current === undefined) throw file.refusal('IMAGE_CORRUPT', 'neither of its two headers is whole');
  const { bytes } = current;
  const version = bytes.readUInt16LE(66);
  if (version !== 1)
    throw file.refusal('IMAGE_FEATURE_UNKNOWN', `it is VHDX of version ${version}, known is 1`);
  if (!isZero(bytes.subarray(48, 64))) {
    throw file.refusal('IMAGE_CORRUPT', 'it was not closed cleanly: its log has still to be replayed', {
      hint: 'open and close it where it was made (Mount-VHD, then Dismount-VHD; or qemu-img check -r all), then copy it again',
    });
  }
  return { what: 'log', offset: uint64LittleEndian(bytes, 72), lengthBytes: bytes.readUInt32LE(68) };
}

async function readRegions(file: ImageFile, log: Region): Promise<{ bat: Region; metadata: Region }> {
  const table = await file.part('region table', regionTableOffset, 64 * kibibyte);
  const count = table.readUInt32LE(8);
  const isValid =
    table.subarray(0, 4).toString('latin1') === 'regi' &&
    crc32cWithoutField(table, 4) === table.readUInt32LE(4);
  if (!isValid || count > 2047) throw file.refusal('IMAGE_CORRUPT', 'its region table is damaged');

  const regions = new Map<string, Region>();
  for (let index = 0; index < count; index += 1) {
    const entry = table.subarray(16 + index * 32, 48 + index * 32);
    const guid = guidOf(entry);
    const what =
      guid === batGuid ? 'block allocation table' : guid === metadataGuid ? 'metadata' : `region ${guid}`;
    const known = guid === batGuid || guid === metadataGuid;
    if (!known && (entry.readUInt32LE(28) & 1) === 1) {
      throw file.refusal('IMAGE_FEATURE_UNKNOWN', `it needs a region that is not known here (${guid})`);
    }
    if (regions.has(guid)) throw file.refusal('IMAGE_CORRUPT', `it has its ${what} twice`);
    regions.set(guid, { what, offset: uint64LittleEndian(entry, 16), lengthBytes: entry.readUInt32LE(24) });
  }
  const bat = regions.get(batGuid);
  const metadata = regions.get(metadataGuid);
  if (!bat || !metadata) {
    throw file.refusal('IMAGE_CORRUPT', `it has no ${bat ? 'metadata' : 'block allocation table'}`);
  }
  checkPlacement(file, [...regions.values(), ...(log.lengthBytes > 0 ? [log] : [])]);
  return { bat, metadata };
}

/** Regions begin at a whole MiB, not in the first, lie in the file and share no byte. */
function checkPlacement(file: ImageFile, regions: readonly Region[]): void {
  const ordered = [...regions].sort((one, other) => one.offset - other.offset);
  let end = mebibyte;
  let before = 'headers';
  for (const { what, offset, lengthBytes } of ordered) {
    if (offset < end) throw file.refusal('IMAGE_CORRUPT', `its ${what} and its ${before} overlap`);
    if (offset % mebibyte !== 0 || lengthBytes % mebibyte !== 0 || lengthBytes === 0) {
      throw file.refusal(
        'IMAGE_CORRUPT',
        `its ${what} (${lengthBytes} bytes at byte ${offset}) is not in whole MiB`,
      );
    }
    file.requirePart(what, offset, lengthBytes);
    end = offset + lengthBytes;
    before = what;
  }
}

async function checkBlocks(file: ImageFile, bat: Region, metadata: VhdxMetadata): Promise<void> {
  const { virtualSizeBytes, blockBytes, logicalSectorBytes } = metadata;
  // After every so many payload blocks the table has an entry for a bitmap of their sectors.
  const payloadPerBitmap = (2 ** 23 * logicalSectorBytes) / blockBytes;
  const payloadBlocks = Math.ceil(virtualSizeBytes / blockBytes);
  const entries = payloadBlocks + Math.floor((payloadBlocks - 1) / payloadPerBitmap);
  if (entries * 8 > bat.lengthBytes) {
    throw file.refusal(
      'IMAGE_CORRUPT',
      `its block allocation table has room for ${bat.lengthBytes / 8} of ${entries} entries`,
    );
  }
  const bytes = await file.available(bat.offset, Math.min(entries * 8, largestReadBytes));
  for (let at = 0; at + 8 <= bytes.length; at += 8) {
    if ((at / 8) % (payloadPerBitmap + 1) === payloadPerBitmap) continue;
    const entry = bytes.readBigUInt64LE(at);
    const state = entry & 7n;
    if (state === partiallyPresent) {
      throw file.refusal(
        'IMAGE_BACKING_FILE',
        'blocks of it are in a parent disk, so it is only a part of a disk',
      );
    }
    if (state !== fullyPresent) continue;
    const offset = Number(entry >> 20n) * mebibyte;
    if (offset < mebibyte) throw file.refusal('IMAGE_CORRUPT', `its block ${at / 8} would be in its headers`);
    file.requirePart(`block ${at / 8}`, offset, 1);
  }
}
