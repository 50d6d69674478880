import { isZero, uint64LittleEndian, type FormatFacts } from './format-check.js';
import type { ImageFile } from './image-file.js';
import { checkVirtualSize, roundUpToSector } from './virtual-size.js';

/** Image types of VirtualBox's VDIIMAGETYPE. */
const dynamicType = 1;
const staticType = 2;
const typesWithParent: Readonly<Record<number, string>> = { 3: 'an undo disk', 4: 'a differencing disk' };

/**
 * VirtualBox's VDI, version 1.1, little-endian: VirtualBox's src/VBox/Storage/VDICore.h, and QEMU's
 * block/vdi.c, which reads no block size but 1 MiB. A text of 64 bytes, the signature, and a header of
 * about 400 bytes that starts at byte 0x48; then a block map of 4 bytes a block. Sizes in bytes.
 */
export async function checkVdi(file: ImageFile): Promise<FormatFacts> {
  const bytes = await file.part('VDI header', 0, 512);
  const version = bytes.readUInt32LE(0x44);
  if (version !== 0x00010001) {
    const text = `${version >>> 16}.${version & 0xffff}`;
    throw file.refusal('IMAGE_FEATURE_UNKNOWN', `it is VDI of version ${text}, known is 1.1`);
  }
  const type = bytes.readUInt32LE(0x4c);
  refuseParent(file, bytes, type);
  if (type !== dynamicType && type !== staticType) {
    throw file.refusal(
      'IMAGE_FEATURE_UNKNOWN',
      `its image type is ${type}, known are 1 (dynamic) and 2 (static)`,
    );
  }
  const virtualSizeBytes = roundUpToSector(uint64LittleEndian(bytes, 0x170));
  checkVirtualSize(file, virtualSizeBytes);
  checkBlocks(file, bytes, virtualSizeBytes);
  const facts = ['version 1.1', type === dynamicType ? 'dynamic' : 'static', 'no parent'];
  return { virtualSizeBytes, compressed: false, facts };
}

function refuseParent(file: ImageFile, bytes: Buffer, type: number): void {
  const what = typesWithParent[type];
  const linkIsZero = isZero(bytes.subarray(0x1a8, 0x1b8));
  const parentIsZero = isZero(bytes.subarray(0x1b8, 0x1c8));
  if (what === undefined && linkIsZero && parentIsZero) return;
  throw file.refusal(
    'IMAGE_BACKING_FILE',
    what === undefined
      ? 'it names a parent disk, so it is only a part of a disk'
      : `it is ${what}, so it is only a part of a disk`,
    { hint: 'make one disk of it where it was made:  VBoxManage clonemedium disk CHILD.vdi WHOLE.vdi' },
  );
}

function checkBlocks(file: ImageFile, bytes: Buffer, virtualSizeBytes: number): void {
  const mapOffset = bytes.readUInt32LE(0x154);
  const dataOffset = bytes.readUInt32LE(0x158);
  const sectorBytes = bytes.readUInt32LE(0x168);
  const blockBytes = bytes.readUInt32LE(0x178);
  const extraBytes = bytes.readUInt32LE(0x17c);
  const blocks = bytes.readUInt32LE(0x180);
  const allocatedBlocks = bytes.readUInt32LE(0x184);
  if (sectorBytes !== 512) {
    throw file.refusal('IMAGE_FEATURE_UNKNOWN', `its sectors have ${sectorBytes} bytes, known is 512`);
  }
  if (blockBytes !== 1024 * 1024 || extraBytes !== 0) {
    throw file.refusal(
      'IMAGE_FEATURE_UNKNOWN',
      `its blocks have ${blockBytes} bytes and ${extraBytes} extra, known is 1048576 and 0`,
    );
  }
  if (blocks * blockBytes < virtualSizeBytes || allocatedBlocks > blocks) {
    throw file.refusal(
      'IMAGE_CORRUPT',
      `it has ${blocks} blocks, ${allocatedBlocks} of them in use, and its virtual disk needs ${Math.ceil(virtualSizeBytes / blockBytes)}`,
    );
  }
  const mapEnd = mapOffset + blocks * 4;
  if (mapOffset < 0x1c8 || mapOffset % 512 !== 0 || dataOffset % 512 !== 0 || dataOffset < mapEnd) {
    throw file.refusal(
      'IMAGE_CORRUPT',
      `its block map (at byte ${mapOffset}) and data (at byte ${dataOffset}) overlap or are misplaced`,
    );
  }
  file.requirePart('block map', mapOffset, blocks * 4);
  // The last block may be cut short by a writer that knows where the disk ends; a missing one may not.
  if (allocatedBlocks > 0) file.requirePart('last block', dataOffset + (allocatedBlocks - 1) * blockBytes, 1);
}
