import type { ImageFile } from './image-file.js';
import { describeBytes } from './quote.js';

/**
 * The largest virtual disk that is accepted: 64 TiB, the maximum of VHDX and of VMware's own disks, and far
 * over any file system's room here. A larger number in a header is a mistake or an attack (CVE-2015-5162).
 */
const largestVirtualSizeBytes = 64 * 1024 ** 4;

/** QEMU counts disks in sectors of 512 bytes, and rounds up. */
export function roundUpToSector(bytes: number): number {
  return Math.ceil(bytes / 512) * 512;
}

/** @throws LaunchError IMAGE_EMPTY, IMAGE_TOO_LARGE */
export function checkVirtualSize(file: ImageFile, virtualSizeBytes: number): void {
  if (virtualSizeBytes === 0) {
    throw file.refusal('IMAGE_EMPTY', 'its virtual disk has 0 bytes', {
      hint: 'nothing can boot from it: check that it is the right file',
    });
  }
  if (virtualSizeBytes <= largestVirtualSizeBytes) return;
  throw file.refusal(
    'IMAGE_TOO_LARGE',
    `its virtual disk would have ${describeBytes(virtualSizeBytes)}, the most is ${describeBytes(largestVirtualSizeBytes)}`,
    {
      hint: 'if its header tells the truth, shrink it where it was made; if not, the file is damaged or hostile',
      details: { virtualSizeBytes, limitBytes: largestVirtualSizeBytes },
    },
  );
}
