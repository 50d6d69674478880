import { LaunchError } from '../../host/launch-error.js';
import { sectorBytes } from './iso9660-fields.js';
import type { IsoFile } from './iso9660.js';

// Far more than any seed has; a file that is none must not keep us busy.
const maximumFiles = 1000;
const maximumDepth = 8;

/**
 * The files of a small ISO 9660 image with Rock Ridge names, and its label.
 *
 * @throws LaunchError FILE_SYSTEM when it is no such image
 */
export function readIso9660(image: Buffer): { readonly label: string; readonly files: readonly IsoFile[] } {
  const descriptor = 16 * sectorBytes;
  if (image.toString('latin1', descriptor, descriptor + 6) !== '\u0001CD001') {
    throw damaged('it is no ISO 9660 image');
  }
  const label = image.toString('latin1', descriptor + 40, descriptor + 72).trimEnd();
  const files: IsoFile[] = [];
  const walk = (record: Buffer, path: string, depth: number): void => {
    if (depth > maximumDepth || files.length > maximumFiles) throw damaged('its directories do not end');
    for (const child of listRecords(readExtent(image, record))) {
      const identifierLength = child[32] ?? 0;
      // `.` and `..`
      if (identifierLength === 1 && (child[33] ?? 0) <= 1) continue;
      const name = `${path}${nameOf(child, identifierLength)}`;
      if (((child[25] ?? 0) & 2) !== 0) walk(child, `${name}/`, depth + 1);
      else files.push({ path: name, content: readExtent(image, child) });
    }
  };
  walk(slice(image, descriptor + 156, 34), '', 0);
  return { label, files };
}

function* listRecords(directory: Buffer): Generator<Buffer> {
  let at = 0;
  while (at < directory.length) {
    const length = directory[at] ?? 0;
    if (length === 0) {
      // The rest of the sector is empty.
      at = (Math.floor(at / sectorBytes) + 1) * sectorBytes;
      continue;
    }
    if (length < 34) throw damaged('a directory entry is too short');
    yield slice(directory, at, length);
    at += length;
  }
}

function readExtent(image: Buffer, record: Buffer): Buffer {
  return slice(image, record.readUInt32LE(2) * sectorBytes, record.readUInt32LE(10));
}

/** The name by Rock Ridge, else that of the plain format. */
function nameOf(record: Buffer, identifierLength: number): string {
  let at = 33 + identifierLength + ((identifierLength + 1) % 2);
  while (at + 4 <= record.length) {
    const length = record[at + 2] ?? 0;
    if (length < 4) break;
    if (record.toString('latin1', at, at + 2) === 'NM') return record.toString('utf8', at + 5, at + length);
    at += length;
  }
  return record.toString('latin1', 33, 33 + identifierLength).replace(/\.?;\d+$/, '');
}

function slice(from: Buffer, offset: number, length: number): Buffer {
  if (offset + length > from.length) throw damaged('it ends too early');
  return from.subarray(offset, offset + length);
}

function damaged(reason: string): LaunchError {
  return new LaunchError('FILE_SYSTEM', `cannot read the seed: ${reason}`);
}
