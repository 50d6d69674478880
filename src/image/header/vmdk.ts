import type { FormatFacts } from './format-check.js';
import type { ImageFile } from './image-file.js';
import { quote } from './quote.js';
import { parseVmdkDescriptor, type VmdkDescriptor } from './vmdk-descriptor.js';
import { checkVirtualSize } from './virtual-size.js';
import {
  checkDirectory,
  readFooter,
  readSparseHeader,
  sectorBytes,
  type SparseHeader,
} from './vmdk-sparse-header.js';

/** QEMU looks for a parent's name here, wherever the header says that the descriptor is. */
const descriptorSector = 1;
const parentSearchSectors = 20;
const largestDescriptorSectors = 2048;

/**
 * VMware's sparse disk in one file, little-endian: "Virtual Disk Format" 5.0, section "Hosted Sparse
 * Extents", and QEMU's block/vmdk.c. Only monolithicSparse and streamOptimized are accepted, with one
 * extent that is the file itself (CVE-2022-47951); every other kind takes its data from other files.
 */
export async function checkVmdk(file: ImageFile): Promise<FormatFacts> {
  const start = await file.available(0, 4);
  if (start.toString('latin1') !== 'KDMV') throw await descriptorFileRefusal(file);
  const header = await readSparseHeader(file, 0);
  const descriptor = await checkDescriptor(file, header);
  const compressed = header.compression === 1;
  const createType = descriptor.fields.get('createtype') ?? '';
  if ((createType.toLowerCase() === 'streamoptimized') !== compressed) {
    throw file.refusal(
      'IMAGE_CORRUPT',
      `its createType is ${quote(createType)}, but its header says otherwise`,
    );
  }
  const virtualSizeBytes = header.capacity * sectorBytes;
  checkVirtualSize(file, virtualSizeBytes);
  const extentSectors = descriptor.extents[0]?.sectors ?? 0;
  if (Math.abs(extentSectors - header.capacity) > header.grainSectors) {
    throw file.refusal(
      'IMAGE_CORRUPT',
      `its extent has ${extentSectors} sectors, its header says ${header.capacity}`,
    );
  }
  await checkDirectory(file, header.directoryIsAtEnd ? await readFooter(file, header) : header);
  return { virtualSizeBytes, compressed, facts: [createType, 'no parent', 'no other extents'] };
}

async function checkDescriptor(file: ImageFile, header: SparseHeader): Promise<VmdkDescriptor> {
  const { descriptorOffset, descriptorSectors, capacity } = header;
  if (descriptorOffset === 0) {
    throw file.refusal(
      'IMAGE_EXTERNAL_DATA',
      'it has no descriptor, so it is one part of a disk in several files',
    );
  }
  if (
    descriptorOffset !== descriptorSector ||
    descriptorSectors < 1 ||
    descriptorSectors > largestDescriptorSectors
  ) {
    throw file.refusal(
      'IMAGE_CORRUPT',
      `its descriptor would have ${descriptorSectors} sectors at sector ${descriptorOffset}`,
    );
  }
  const bytes = await file.part(
    'descriptor',
    descriptorSector * sectorBytes,
    descriptorSectors * sectorBytes,
  );
  const searched = await file.available(descriptorSector * sectorBytes, parentSearchSectors * sectorBytes);
  const descriptor = parseVmdkDescriptor(untilZero(bytes));
  refuseParent(file, descriptor, [searched, bytes]);
  refuseOtherFiles(file, descriptor);
  if (capacity === 0) {
    // QEMU then opens the files that the extent lines name.
    throw file.refusal(
      'IMAGE_EXTERNAL_DATA',
      'its header gives no capacity, so its descriptor would say where its data is',
    );
  }
  if (!descriptor.fields.has('parentcid')) {
    throw file.refusal('IMAGE_CORRUPT', 'its descriptor does not say that it has no parent (parentCID)');
  }
  if (descriptor.strangeLine !== undefined) {
    throw file.refusal(
      'IMAGE_CORRUPT',
      `its descriptor has a line that is not understood (${quote(descriptor.strangeLine)})`,
    );
  }
  return descriptor;
}

function refuseParent(file: ImageFile, descriptor: VmdkDescriptor, searched: readonly Buffer[]): void {
  const parent = descriptor.fields.get('parentfilenamehint');
  const hidden = searched.some((bytes) =>
    bytes.toString('latin1').toLowerCase().includes('parentfilenamehint'),
  );
  const parentCid = descriptor.fields.get('parentcid');
  if (hidden || (parentCid !== undefined && parentCid.toLowerCase() !== 'ffffffff')) {
    const named = parent === undefined ? '' : ` (${quote(parent)})`;
    throw file.refusal(
      'IMAGE_BACKING_FILE',
      `it names a parent disk${named}, so its content would come from this host`,
      { details: { backingFile: parent } },
    );
  }
}

function refuseOtherFiles(file: ImageFile, { fields, extents }: VmdkDescriptor): void {
  if (fields.size === 0 && extents.length === 0) {
    throw file.refusal(
      'IMAGE_EXTERNAL_DATA',
      'its descriptor is empty, so it is one part of a disk in several files',
    );
  }
  const createType = fields.get('createtype');
  if (createType === undefined) throw file.refusal('IMAGE_CORRUPT', 'its descriptor has no createType');
  const [extent] = extents;
  if (!['monolithicsparse', 'streamoptimized'].includes(createType.toLowerCase())) {
    throw file.refusal(
      'IMAGE_EXTERNAL_DATA',
      `its createType is ${quote(createType)}, so its data is in other files${extent?.fileName ? ` (${quote(extent.fileName)})` : ''}`,
    );
  }
  if (extent === undefined) throw file.refusal('IMAGE_CORRUPT', 'its descriptor has no extent');
  const name = extent.fileName ?? '';
  if (extents.length > 1) {
    throw file.refusal(
      'IMAGE_EXTERNAL_DATA',
      `it has ${extents.length} extents, so its data is in other files too`,
    );
  }
  if (extent.type !== 'SPARSE' || name === '' || name === '..' || /[/\\]|[\0-\x1f]|^\w+:/.test(name)) {
    throw file.refusal(
      'IMAGE_EXTERNAL_DATA',
      `its extent (${extent.type} ${quote(name)}) may be another file, so its content would come from this host`,
      { details: { extent: name } },
    );
  }
}

/** A descriptor that is a file of its own: the data is in other files, whatever it says. */
async function descriptorFileRefusal(file: ImageFile): Promise<Error> {
  const { extents } = parseVmdkDescriptor(untilZero(await file.available(0, 65536)));
  const name = extents[0]?.fileName;
  const named = name === undefined ? '' : ` (${quote(name)})`;
  return file.refusal(
    'IMAGE_EXTERNAL_DATA',
    `it is only the descriptor of a VMDK disk, its data is in other files${named}`,
    {
      details: { extent: name },
    },
  );
}

function untilZero(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.subarray(0, end === -1 ? bytes.length : end).toString('latin1');
}
