import { isPowerOfTwo, isZero, uint64BigEndian, type FormatFacts } from './format-check.js';
import { largestReadBytes, type ImageFile } from './image-file.js';
import { quote } from './quote.js';
import { lastSectorOffset } from './signature.js';
import { checkVirtualSize } from './virtual-size.js';

const cookie = 'conectix';
const footerBytes = 512;
const dynamicHeaderBytes = 1024;

/** Disk types of the footer. */
const fixedType = 2;
const dynamicType = 3;
const differencingType = 4;

/**
 * Virtual PC's VHD, which QEMU calls vpc, big-endian: Microsoft's "Virtual Hard Disk Image Format
 * Specification" 1.0 (2006), and QEMU's block/vpc.c. A fixed disk is raw data and a footer of 512 bytes
 * (511 before Virtual PC 2004) in the last sector. A dynamic one has a copy of the footer at byte 0, and
 * a header of 1,024 bytes that leads to a block allocation table of 4 bytes a block.
 */
export async function checkVpc(file: ImageFile): Promise<FormatFacts> {
  const start = await file.available(0, footerBytes);
  const atStart = start.subarray(0, 8).toString('latin1') === cookie;
  const footer = await readFooter(file);
  if (footer === undefined) {
    throw file.refusal('IMAGE_TRUNCATED', 'its VHD footer, due in its last 512 bytes, is missing');
  }
  checkChecksum(file, 'footer', footer, 64);
  const type = footer.readUInt32BE(60);
  if (type === differencingType) throw differencingRefusal(file);
  if (type !== fixedType && type !== dynamicType) {
    throw file.refusal(
      'IMAGE_FEATURE_UNKNOWN',
      `its disk type is ${type}, known are 2 (fixed) and 3 (dynamic)`,
    );
  }
  if (footer.readUInt32BE(12) >>> 16 !== 1) {
    throw file.refusal(
      'IMAGE_FEATURE_UNKNOWN',
      `it is VHD of version ${footer.readUInt32BE(12) >>> 16}, known is 1`,
    );
  }
  // QEMU takes a footer at byte 0 for the one of a dynamic disk, whatever its type says.
  if (atStart !== (type === dynamicType)) {
    throw file.refusal(
      'IMAGE_CORRUPT',
      atStart
        ? 'its footer is that of a fixed disk, its beginning that of a dynamic one'
        : 'the copy of its footer at byte 0 is missing',
    );
  }
  const virtualSizeBytes = virtualSize(footer);
  checkVirtualSize(file, virtualSizeBytes);
  if (type === fixedType) {
    file.requirePart('data and footer', 0, virtualSizeBytes + 511);
    return { virtualSizeBytes, compressed: false, facts: ['fixed'] };
  }
  // Only the checked part: the last byte may be missing, the rest is reserved.
  if (!start.subarray(0, 85).equals(footer.subarray(0, 85))) {
    throw file.refusal('IMAGE_CORRUPT', 'its footer and the copy at its beginning differ');
  }
  await checkDynamicHeader(file, uint64BigEndian(footer, 16), virtualSizeBytes);
  return { virtualSizeBytes, compressed: false, facts: ['dynamic', 'no parent'] };
}

async function readFooter(file: ImageFile): Promise<Buffer | undefined> {
  const bytes = await file.available(lastSectorOffset(file.lengthBytes), footerBytes);
  if (bytes.length < footerBytes - 1 || bytes.subarray(0, 8).toString('latin1') !== cookie) return undefined;
  return Buffer.concat([bytes, Buffer.alloc(footerBytes - bytes.length)]);
}

/** The one's complement of the sum of all bytes, the checksum's own four left out. */
function checkChecksum(file: ImageFile, what: string, bytes: Buffer, checksumOffset: number): void {
  let sum = 0;
  for (const [index, byte] of bytes.entries()) {
    if (index < checksumOffset || index >= checksumOffset + 4) sum += byte;
  }
  if (~sum >>> 0 === bytes.readUInt32BE(checksumOffset)) return;
  throw file.refusal('IMAGE_CORRUPT', `the checksum of its ${what} is wrong`, {
    hint: 'download or copy it again',
  });
}

/** Programs whose disks have the size that the footer gives; of all others the geometry counts. */
const sizeIsExactFor = ['win ', 'qem2', 'd2v ', 'CTXS'];

/** Sectors of the largest geometry: 65,535 cylinders, 16 heads, 255 sectors a track. */
const largestGeometrySectors = 65535 * 16 * 255;

/**
 * The disk's bytes as QEMU 7.2 counts them (vpc_open): by the geometry, as Virtual PC did, unless it is the
 * largest or the creator is known to mean the current size. QEMU 9.1 and later count Azure's ("wa") exactly too.
 */
function virtualSize(footer: Buffer): number {
  const creator = footer.subarray(28, 32).toString('latin1');
  const geometrySectors = footer.readUInt16BE(56) * footer.readUInt8(58) * footer.readUInt8(59);
  const exact =
    sizeIsExactFor.includes(creator) ||
    creator.startsWith('tap') ||
    geometrySectors === largestGeometrySectors;
  return exact ? Math.floor(uint64BigEndian(footer, 48) / 512) * 512 : geometrySectors * 512;
}

async function checkDynamicHeader(file: ImageFile, offset: number, virtualSizeBytes: number): Promise<void> {
  if (offset < footerBytes || offset % 512 !== 0) {
    throw file.refusal('IMAGE_CORRUPT', `its dynamic header would begin at byte ${offset}`);
  }
  const header = await file.part('dynamic header', offset, dynamicHeaderBytes);
  if (header.subarray(0, 8).toString('latin1') !== 'cxsparse') {
    throw file.refusal('IMAGE_CORRUPT', 'its dynamic header has not the signature "cxsparse"');
  }
  checkChecksum(file, 'dynamic header', header, 36);
  if (!isZero(header.subarray(40, 56)) || !isZero(header.subarray(64, 768))) {
    throw differencingRefusal(file, header);
  }
  const blockBytes = header.readUInt32BE(32);
  const blocks = header.readUInt32BE(28);
  if (!isPowerOfTwo(blockBytes) || blockBytes < 512 || blocks * blockBytes < virtualSizeBytes) {
    throw file.refusal(
      'IMAGE_CORRUPT',
      `it has ${blocks} blocks of ${blockBytes} bytes, its virtual disk has ${virtualSizeBytes}`,
    );
  }
  const tableOffset = uint64BigEndian(header, 16);
  if (tableOffset < footerBytes || tableOffset % 512 !== 0) {
    throw file.refusal('IMAGE_CORRUPT', `its block allocation table would begin at byte ${tableOffset}`);
  }
  file.requirePart('block allocation table', tableOffset, blocks * 4);
  // Before each block, a bit for each of its sectors, in whole sectors.
  const bitmapBytes = Math.ceil(blockBytes / 512 / 8 / 512) * 512;
  const table = await file.available(tableOffset, Math.min(blocks * 4, largestReadBytes));
  for (let at = 0; at + 4 <= table.length; at += 4) {
    const sector = table.readUInt32BE(at);
    if (sector !== 0xffffffff) file.requirePart(`block ${at / 4}`, sector * 512, bitmapBytes + blockBytes);
  }
}

function differencingRefusal(file: ImageFile, header?: Buffer): Error {
  // UTF-16 big-endian, 512 bytes; Node decodes little-endian only.
  const name = header && Buffer.from(header.subarray(64, 576)).swap16().toString('utf16le').split('\0')[0];
  const named = name ? ` (${quote(name)})` : '';
  return file.refusal(
    'IMAGE_BACKING_FILE',
    `it is a differencing disk on a parent${named}, so it is only a part of a disk`,
    {
      hint: 'merge it with its parent where it was made:  Merge-VHD, or Convert-VHD into a new file',
    },
  );
}
