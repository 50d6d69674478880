import { isZero, type FormatFacts } from './format-check.js';
import type { ImageFile } from './image-file.js';
import { checkVirtualSize, roundUpToSector } from './virtual-size.js';

/**
 * A raw disk: the file's bytes are the disk's bytes. There is no header to check; what matters, that it
 * carries no other format's signature, was seen to before. QEMU rounds the length up to 512 bytes.
 *
 * @throws LaunchError IMAGE_TOO_LARGE
 */
export async function checkRaw(file: ImageFile, isIso: boolean): Promise<FormatFacts> {
  const virtualSizeBytes = roundUpToSector(file.lengthBytes);
  checkVirtualSize(file, virtualSizeBytes);
  const facts = [isIso ? 'an ISO 9660 or UDF file system' : await describeFirstSectors(file)];
  if (virtualSizeBytes !== file.lengthBytes) facts.push('its last sector is not whole');
  return { virtualSizeBytes, compressed: false, facts };
}

/** The partition table, for people only: an MBR's 55 AA alone says little (UEFI, section 5.2). */
async function describeFirstSectors(file: ImageFile): Promise<string> {
  const sectors = await file.available(0, 1024);
  if (sectors.subarray(512, 520).toString('latin1') === 'EFI PART') return 'GPT partition table';
  if (sectors[510] !== 0x55 || sectors[511] !== 0xaa) return 'no partition table';
  return isZero(sectors.subarray(446, 510)) ? 'boot sector without partitions' : 'MBR partition table';
}
