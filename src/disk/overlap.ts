import { LaunchError } from '../host/launch-error.js';
import type { Work } from '../host/work.js';
import type { Extent, QemuImg } from '../qemu-img/qemu-img.js';
import type { ChainLink } from './backing-chain.js';

/** How much of what a base holds its overlay has written over. Sizes in bytes. */
export interface Overlap {
  readonly writtenOverBytes: number;
  /** What the file below holds, as the overlay sees it. */
  readonly baseDataBytes: number;
}

/** @returns undefined when the disk has no backing file, or the chain cannot be read */
export async function measureOverlap(
  links: readonly ChainLink[],
  qemuImg: QemuImg,
  work: Work = {},
): Promise<Overlap | undefined> {
  const [overlay, base] = links;
  if (overlay === undefined || base === undefined || links.some((link) => link.problem !== undefined)) {
    return undefined;
  }
  try {
    const own = (await qemuImg.map(overlay.path, overlay.format, work)).filter(
      (extent) => extent.depth === 0,
    );
    const below = (await qemuImg.map(base.path, base.format, work)).filter((extent) => extent.data);
    return { writtenOverBytes: sharedBytes(own, below), baseDataBytes: sum(below) };
  } catch (error) {
    // A guest may write while we look; what could be read is shown without this number.
    if (error instanceof LaunchError && error.code === 'COMMAND_FAILED') return undefined;
    throw error;
  }
}

/** Bytes that lie in both lists; each is ascending and without overlaps. */
export function sharedBytes(first: readonly Extent[], second: readonly Extent[]): number {
  let shared = 0;
  let index = 0;
  for (const extent of first) {
    const end = extent.startBytes + extent.lengthBytes;
    for (let other = second[index]; other !== undefined; other = second[index]) {
      const otherEnd = other.startBytes + other.lengthBytes;
      shared += Math.max(0, Math.min(end, otherEnd) - Math.max(extent.startBytes, other.startBytes));
      if (otherEnd > end) break;
      index += 1;
    }
  }
  return shared;
}

function sum(extents: readonly Extent[]): number {
  return extents.reduce((total, extent) => total + extent.lengthBytes, 0);
}
