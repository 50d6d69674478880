import { uint64BigEndian, type FormatFacts } from './format-check.js';
import type { ImageFile } from './image-file.js';
import { checkExtensions } from './qcow2-extensions.js';
import { checkFeatures } from './qcow2-features.js';
import {
  checkL1Table,
  checkRefcountTable,
  checkSnapshotTable,
  looksCompressed,
  type Qcow2Header,
} from './qcow2-tables.js';
import { quote } from './quote.js';
import { checkVirtualSize } from './virtual-size.js';

/**
 * qcow2, versions 2 and 3, by QEMU's docs/interop/qcow2.rst: 72 bytes of header in version 2, at least 104
 * in version 3, then extensions, up to the end of the first cluster. Refused is whatever names another
 * file, and whatever this version of the specification does not know.
 */
export async function checkQcow2(file: ImageFile): Promise<FormatFacts> {
  const bytes = await file.part('qcow2 header', 0, 72);
  const version = bytes.readUInt32BE(4);
  if (version !== 2 && version !== 3) {
    throw file.refusal('IMAGE_FEATURE_UNKNOWN', `it is qcow2 of version ${version}, known are 2 and 3`);
  }
  const clusterBytes = readClusterBytes(file, bytes);
  await refuseBackingFile(file, bytes);
  refuseEncryption(file, bytes);
  const { headerLength, features } = await checkFeatures(file, version, clusterBytes);
  // Here, other than elsewhere, QEMU rounds down.
  const virtualSizeBytes = Math.floor(uint64BigEndian(bytes, 24) / 512) * 512;
  checkVirtualSize(file, virtualSizeBytes);

  const header: Qcow2Header = {
    version,
    headerLength,
    clusterBytes,
    virtualSizeBytes,
    l1Entries: bytes.readUInt32BE(36),
    l1Offset: uint64BigEndian(bytes, 40),
    features,
  };
  await checkExtensions(file, headerLength, clusterBytes);
  await checkL1Table(file, header);
  checkRefcountTable(file, bytes, clusterBytes);
  const snapshots = checkSnapshotTable(file, bytes, clusterBytes);

  const compressed = await looksCompressed(file, header);
  const facts = [`version ${version}`];
  if (compressed) facts.push(features.zstd ? 'compressed (zstd)' : 'compressed');
  facts.push('no backing file', 'no external data');
  if (snapshots > 0) facts.push(`${snapshots} internal snapshot${snapshots === 1 ? '' : 's'}`);
  if (features.dirty) facts.push('not closed cleanly');
  return { virtualSizeBytes, compressed, facts };
}

function readClusterBytes(file: ImageFile, bytes: Buffer): number {
  const clusterBits = bytes.readUInt32BE(20);
  if (clusterBits >= 9 && clusterBits <= 21) return 2 ** clusterBits;
  throw file.refusal(
    'IMAGE_CORRUPT',
    `its clusters would have 2^${clusterBits} bytes, between 2^9 and 2^21 is allowed`,
  );
}

async function refuseBackingFile(file: ImageFile, bytes: Buffer): Promise<void> {
  const offset = uint64BigEndian(bytes, 8);
  const length = bytes.readUInt32BE(16);
  if (offset === 0) {
    if (length === 0) return;
    throw file.refusal('IMAGE_CORRUPT', `the name of its backing file has ${length} bytes, but is nowhere`);
  }
  // The specification allows 1023 bytes; of a longer name the beginning is enough to say.
  const name = await file.available(offset, Math.min(length, 1023));
  const named = name.length === 0 ? '' : ` (${quote(name.toString('utf8'))})`;
  throw file.refusal(
    'IMAGE_BACKING_FILE',
    `it names a backing file${named}, so its content would come from this host`,
    { details: { backingFile: name.toString('utf8') } },
  );
}

function refuseEncryption(file: ImageFile, bytes: Buffer): void {
  const method = bytes.readUInt32BE(32);
  if (method === 0) return;
  const names: Readonly<Record<number, string>> = { 1: 'AES', 2: 'LUKS' };
  const named = names[method] ?? `method ${method}`;
  throw file.refusal(
    'IMAGE_ENCRYPTED',
    `it is encrypted (${named}), so it cannot be read without its passphrase`,
  );
}
