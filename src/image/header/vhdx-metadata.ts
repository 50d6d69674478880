import { isPowerOfTwo, uint64LittleEndian } from './format-check.js';
import type { ImageFile } from './image-file.js';
import { guidOf } from './vhdx-guid.js';
import { checkVirtualSize } from './virtual-size.js';

/** What the metadata of a VHDX says; sizes in bytes. */
export interface VhdxMetadata {
  readonly virtualSizeBytes: number;
  readonly blockBytes: number;
  readonly logicalSectorBytes: number;
  readonly isFixed: boolean;
}

interface Item {
  readonly offset: number;
  readonly lengthBytes: number;
}

/** The known metadata items ([MS-VHDX] 2.6.2) and the least length of what is read of each. */
const items = {
  fileParameters: { guid: 'caa16737-fa36-4d43-b3b6-33f0aa44e76b', lengthBytes: 8 },
  virtualSize: { guid: '2fa54224-cd1b-4876-b211-5dbed83bf4b8', lengthBytes: 8 },
  page83: { guid: 'beca12ab-b2e6-4523-93ef-c309e000c746', lengthBytes: 16 },
  logicalSector: { guid: '8141bf1d-a96f-4709-ba47-f233a8faab5f', lengthBytes: 4 },
  physicalSector: { guid: 'cda348c7-445d-4471-9cc9-e9885251c556', lengthBytes: 4 },
} as const;
const parentLocatorGuid = 'a8d35f2d-b30b-454d-abf7-d3d84834ab0c';
const knownGuids: readonly string[] = [...Object.values(items).map(({ guid }) => guid), parentLocatorGuid];

const tableBytes = 64 * 1024;
const mostItems = 2047;
const requiredFlag = 4;
const leaveBlocksAllocatedFlag = 1;
const hasParentFlag = 2;

/**
 * Reads the metadata region: a table of 64 KiB, then the items.
 *
 * @throws LaunchError IMAGE_BACKING_FILE, IMAGE_CORRUPT, IMAGE_FEATURE_UNKNOWN, IMAGE_TOO_LARGE
 */
export async function readVhdxMetadata(
  file: ImageFile,
  regionOffset: number,
  regionBytes: number,
): Promise<VhdxMetadata> {
  const found = await readTable(file, regionOffset, regionBytes);
  const read = async (name: keyof typeof items): Promise<Buffer> => {
    const { guid, lengthBytes } = items[name];
    const item = found.get(guid);
    if (!item || item.lengthBytes < lengthBytes) {
      throw file.refusal('IMAGE_CORRUPT', `its metadata does not have the item ${guid}`);
    }
    return file.part('metadata', regionOffset + item.offset, lengthBytes);
  };
  const parameters = await read('fileParameters');
  const flags = parameters.readUInt32LE(4);
  if ((flags & hasParentFlag) !== 0 || found.has(parentLocatorGuid)) {
    throw file.refusal(
      'IMAGE_BACKING_FILE',
      'it is a differencing disk on a parent, so it is only a part of a disk',
      {
        hint: 'merge it with its parent where it was made:  Merge-VHD, or Convert-VHD into a new file',
      },
    );
  }
  const virtualSizeBytes = uint64LittleEndian(await read('virtualSize'), 0);
  const logicalSectorBytes = (await read('logicalSector')).readUInt32LE(0);
  const physicalSectorBytes = (await read('physicalSector')).readUInt32LE(0);
  await read('page83');
  checkSectors(file, logicalSectorBytes, physicalSectorBytes);
  checkVirtualSize(file, virtualSizeBytes);
  const blockBytes = parameters.readUInt32LE(0);
  if (!isPowerOfTwo(blockBytes) || blockBytes < 2 ** 20 || blockBytes > 2 ** 28) {
    throw file.refusal(
      'IMAGE_CORRUPT',
      `its blocks would have ${blockBytes} bytes, 1 MiB to 256 MiB is allowed`,
    );
  }
  if (virtualSizeBytes % logicalSectorBytes !== 0) {
    throw file.refusal(
      'IMAGE_CORRUPT',
      `its virtual disk of ${virtualSizeBytes} bytes does not end with a sector`,
    );
  }
  return {
    virtualSizeBytes,
    blockBytes,
    logicalSectorBytes,
    isFixed: (flags & leaveBlocksAllocatedFlag) !== 0,
  };
}

function checkSectors(file: ImageFile, logicalBytes: number, physicalBytes: number): void {
  if (logicalBytes === 4096) {
    throw file.refusal(
      'IMAGE_FEATURE_UNKNOWN',
      'its disk has logical sectors of 4096 bytes, which QEMU does not read',
      {
        hint: 'make one with sectors of 512 bytes where it was made:  Convert-VHD, then Set-VHD',
      },
    );
  }
  if (logicalBytes !== 512 || (physicalBytes !== 512 && physicalBytes !== 4096)) {
    throw file.refusal(
      'IMAGE_CORRUPT',
      `its sectors would have ${logicalBytes} bytes (physical ${physicalBytes})`,
    );
  }
}

async function readTable(
  file: ImageFile,
  regionOffset: number,
  regionBytes: number,
): Promise<ReadonlyMap<string, Item>> {
  const table = await file.part('metadata table', regionOffset, tableBytes);
  const count = table.readUInt16LE(10);
  if (table.subarray(0, 8).toString('latin1') !== 'metadata' || count > mostItems) {
    throw file.refusal('IMAGE_CORRUPT', 'its metadata table is damaged');
  }
  const found = new Map<string, Item>();
  for (let index = 0; index < count; index += 1) {
    const entry = table.subarray(32 + index * 32, 64 + index * 32);
    const guid = guidOf(entry);
    const item: Item = { offset: entry.readUInt32LE(16), lengthBytes: entry.readUInt32LE(20) };
    if (!knownGuids.includes(guid)) {
      if ((entry.readUInt32LE(24) & requiredFlag) === 0) continue;
      throw file.refusal(
        'IMAGE_FEATURE_UNKNOWN',
        `it needs a metadata item that is not known here (${guid})`,
      );
    }
    if (found.has(guid)) throw file.refusal('IMAGE_CORRUPT', `its metadata has the item ${guid} twice`);
    if (item.offset < tableBytes || item.offset + item.lengthBytes > regionBytes) {
      throw file.refusal('IMAGE_CORRUPT', `its metadata item ${guid} is outside its metadata`);
    }
    found.set(guid, item);
  }
  return found;
}
