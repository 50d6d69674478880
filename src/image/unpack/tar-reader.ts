import type { ChunkReader } from './chunk-reader.js';
import { StoredContent, TarRefusal } from './stored-content.js';
import { maximumRegions, readRegions, sparseFile } from './tar-sparse.js';
import { parseCount, parsePaxRecords } from './pax-records.js';
import {
  isZeroBlock,
  parseSparseExtension,
  parseTarHeader,
  tarBlockBytes,
  type TarHeader,
} from './tar-header.js';

/** A regular file of an archive. Its content must be read, or skipped, before the next entry. */
export interface TarFile {
  readonly name: string;
  /** With its holes. */
  readonly lengthBytes: number;
  content(): AsyncGenerator<Buffer, void, undefined>;
}

const maximumEntries = 1000;
const maximumHeaderBytes = 64 * 1024;

/**
 * The regular files of a tar archive, in its order: ustar, GNU and pax, sparse files as GNU tar writes them.
 * Nothing is ever extracted by its name; an archive with anything but files and directories, or with a name
 * that leads out of it, is refused.
 *
 * @throws TarRefusal
 */
export async function* readTar(reader: ChunkReader): AsyncGenerator<TarFile, void, undefined> {
  let longName: string | undefined;
  let pax: ReadonlyMap<string, string> = new Map();
  for (let entries = 0; ; entries += 1) {
    const block = await reader.read(tarBlockBytes);
    if (block.length === tarBlockBytes && isZeroBlock(block)) return;
    if (block.length < tarBlockBytes) throw new TarRefusal('it ends in the middle');
    if (entries === maximumEntries) throw new TarRefusal(`it has more than ${maximumEntries} entries`);
    const header = parseTarHeader(block);
    if (header === undefined) throw new TarRefusal('it is damaged');
    switch (header.type) {
      case 'L':
        longName = (await readSmall(reader, header.storedBytes)).toString('utf8').replace(/\0.*$/s, '');
        continue;
      case 'x': {
        const records = parsePaxRecords(await readSmall(reader, header.storedBytes));
        if (records === undefined) throw new TarRefusal('it has a header that cannot be read');
        pax = records;
        continue;
      }
      case 'g':
      case 'K':
        // Times and owners of everything, and the target of a link that is refused when it comes.
        await readSmall(reader, header.storedBytes);
        continue;
      default:
    }
    const name = checkEntryName(pax.get('GNU.sparse.name') ?? pax.get('path') ?? longName ?? header.name);
    const paxSize = pax.get('size');
    const storedBytes = paxSize === undefined ? header.storedBytes : parseCount(paxSize);
    if (storedBytes === undefined) throw new TarRefusal('it is damaged');
    const stored = new StoredContent(reader, storedBytes);
    const entryPax = pax;
    longName = undefined;
    pax = new Map();
    if (header.type === '5') {
      await stored.skip();
      continue;
    }
    if (header.type === '0' || header.type === '7' || header.type === 'S') {
      yield await openFile(name, header.sparse, entryPax, stored, reader);
      await stored.skip();
      continue;
    }
    throw new TarRefusal(`its ${JSON.stringify(name)} is ${nameOfType(header.type)}`);
  }
}

async function openFile(
  name: string,
  sparse: TarHeader['sparse'],
  pax: ReadonlyMap<string, string>,
  stored: StoredContent,
  reader: ChunkReader,
): Promise<TarFile> {
  if (sparse !== undefined) {
    const regions = [...sparse.regions];
    for (let more = sparse.isExtended; more;) {
      const extension = parseSparseExtension(await reader.read(tarBlockBytes));
      if (extension === undefined || regions.length > maximumRegions) throw new TarRefusal('it is damaged');
      regions.push(...extension.regions);
      more = extension.isExtended;
    }
    return sparseFile(name, regions, sparse.realBytes, stored);
  }
  if (pax.get('GNU.sparse.major') === '1' && pax.get('GNU.sparse.minor') === '0') {
    const realBytes = parseCount(pax.get('GNU.sparse.realsize'));
    if (realBytes === undefined) throw new TarRefusal('it is damaged');
    return sparseFile(name, await readRegions(stored), realBytes, stored);
  }
  if ([...pax.keys()].some((key) => key.startsWith('GNU.sparse.'))) {
    throw new TarRefusal(
      `its ${JSON.stringify(name)} is sparse in an old way that is not read; pack it with tar --format=gnu`,
    );
  }
  return { name, lengthBytes: stored.leftBytes, content: () => stored.read() };
}

async function readSmall(reader: ChunkReader, lengthBytes: number): Promise<Buffer> {
  if (lengthBytes > maximumHeaderBytes) throw new TarRefusal('it has a header that is too long');
  const stored = new StoredContent(reader, lengthBytes);
  const pieces: Buffer[] = [];
  for await (const piece of stored.read()) pieces.push(piece);
  await stored.skip();
  return Buffer.concat(pieces);
}

/** @throws TarRefusal for a name that leads out of the archive, though none is ever used as a path */
function checkEntryName(name: string): string {
  if (name.startsWith('/') || name.split('/').includes('..')) {
    throw new TarRefusal(`its ${JSON.stringify(name)} leads out of the archive`);
  }
  return name.replace(/^(\.\/+)+/, '').replace(/\/+$/, '');
}

function nameOfType(type: string): string {
  const names: Readonly<Record<string, string>> = {
    '1': 'a hard link',
    '2': 'a symbolic link',
    '3': 'a device',
    '4': 'a device',
    '6': 'a pipe',
  };
  return names[type] ?? `of an unknown kind (${JSON.stringify(type)})`;
}
