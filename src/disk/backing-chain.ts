import { isAbsolute } from 'node:path';
import { LaunchError } from '../host/launch-error.js';
import type { Work } from '../host/work.js';
import { detectFormat } from '../image/header/inspect-header.js';
import type { DiskInspection, QemuImg } from '../qemu-img/qemu-img.js';

/** One file of a backing chain, the overlay first. Sizes in bytes. */
export interface ChainLink extends Partial<Omit<DiskInspection, 'path' | 'format'>> {
  readonly path: string;
  /** The format it is read as: the XML's driver type, or what the link above wrote down. */
  readonly format: string;
  /** What the file's own header says. */
  readonly detectedFormat: string | undefined;
  /** Why nothing more is known of it. */
  readonly problem?: string;
}

const maximumLinks = 64;

/**
 * Follows a disk's backing chain link by link, also while a guest runs. Every file is read as the format
 * that was written down for it; only where nobody did, the header is asked.
 */
export async function readBackingChain(
  top: { readonly path: string; readonly format: string },
  qemuImg: QemuImg,
  work: Work = {},
): Promise<readonly ChainLink[]> {
  const links: ChainLink[] = [];
  const visited = new Set<string>();
  let next: { path: string; format: string } | undefined = top;
  while (next !== undefined) {
    if (visited.has(next.path) || links.length === maximumLinks) {
      links.push({ ...next, detectedFormat: undefined, problem: 'the chain does not end' });
      break;
    }
    visited.add(next.path);
    const link = await readLink(next, qemuImg, work);
    links.push(link);
    next = await backingOf(link);
  }
  return links;
}

async function readLink(
  file: { readonly path: string; readonly format: string },
  qemuImg: QemuImg,
  work: Work,
): Promise<ChainLink> {
  if (!isAbsolute(file.path)) {
    return { ...file, detectedFormat: undefined, problem: 'it is not a local file' };
  }
  let detectedFormat: string | undefined;
  try {
    detectedFormat = await detectFormat(file.path);
    return { ...(await qemuImg.inspect(file.path, file.format, work)), detectedFormat };
  } catch (error) {
    if (!(error instanceof LaunchError) || error.code === 'INTERRUPTED' || error.code === 'COMMAND_MISSING') {
      throw error;
    }
    return { ...file, detectedFormat, problem: error.message };
  }
}

async function backingOf(link: ChainLink): Promise<{ path: string; format: string } | undefined> {
  if (link.backingPath === undefined) return undefined;
  const path = link.backingPath;
  if (link.backingFormat !== undefined) return { path, format: link.backingFormat };
  // An old overlay that does not name its backing format; the header is the best word there is.
  const format = isAbsolute(path) ? await detectFormat(path).catch(() => 'raw') : 'raw';
  return { path, format };
}
