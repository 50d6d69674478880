import { chmod, lstat, mkdir, open, rm, symlink } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { errnoOf, fileSystemError } from '../../host/system-error.js';
import { LaunchError } from '../../host/launch-error.js';
import { ChunkReader } from '../../image/unpack/chunk-reader.js';
import { parseCount, parsePaxRecords } from '../../image/unpack/pax-records.js';
import { StoredContent, TarRefusal } from '../../image/unpack/stored-content.js';
import { isZeroBlock, parseTarHeader, tarBlockBytes } from '../../image/unpack/tar-header.js';

const maximumHeaderBytes = 64 * 1024;

export interface ReceivedTree {
  readonly files: number;
  /** Names that were left out, each with the reason. */
  readonly leftOut: readonly string[];
}

/**
 * Unpacks a tar archive that a guest made, which may say anything: only directories and regular files below
 * the target are made, never through a link, and without set-uid bits. Links come last, and only those that
 * stay inside. What is there already is written over.
 *
 * @param target exists afterwards, as a directory
 * @throws LaunchError COPY_FAILED for an archive that is damaged or leads out, DISK_FULL, PERMISSION_DENIED
 */
export async function receiveTree(stream: AsyncIterable<Uint8Array>, target: string): Promise<ReceivedTree> {
  const tree = new TreeWriter(target);
  try {
    await mkdir(target, { recursive: true });
    for await (const entry of readEntries(new ChunkReader(stream))) await tree.write(entry);
    return await tree.finish();
  } catch (error) {
    if (error instanceof TarRefusal) throw refused(`what the guest sent cannot be used: ${error.message}`);
    throw fileSystemError('write below', target, error);
  }
}

interface Entry {
  readonly name: string;
  readonly type: string;
  readonly mode: number;
  readonly link: string;
  readonly content: StoredContent;
}

async function* readEntries(reader: ChunkReader): AsyncGenerator<Entry, void, undefined> {
  let longName: string | undefined;
  let longLink: string | undefined;
  let pax: ReadonlyMap<string, string> = new Map();
  for (;;) {
    const block = await reader.read(tarBlockBytes);
    if (block.length === tarBlockBytes && isZeroBlock(block)) break;
    const header = block.length < tarBlockBytes ? undefined : parseTarHeader(block);
    if (header === undefined) throw new TarRefusal('it ends in the middle, or is damaged');
    const storedBytes = parseCount(pax.get('size')) ?? header.storedBytes;
    const content = new StoredContent(reader, storedBytes);
    if (header.type === 'L') longName = await readText(content);
    else if (header.type === 'K') longLink = await readText(content);
    else if (header.type === 'x') pax = parsePaxRecords(await readSmall(content)) ?? new Map();
    else if (header.type === 'g') await readSmall(content);
    else {
      const name = pax.get('path') ?? longName ?? header.name;
      const link = pax.get('linkpath') ?? longLink ?? textAt(block, 157, 100);
      const mode = Number.parseInt(textAt(block, 100, 8).trim(), 8) || 0;
      yield { name, type: header.type, mode, link, content };
      [longName, longLink, pax] = [undefined, undefined, new Map<string, string>()];
    }
    await content.skip();
  }
  // The rest is padding; a command that still writes it would else end with an error of its own.
  for await (const padding of reader.remaining()) if (!isZeroBlock(padding)) continue;
}

class TreeWriter {
  #files = 0;
  readonly #links: { readonly path: string; readonly link: string; readonly name: string }[] = [];
  readonly #modes: { readonly path: string; readonly mode: number }[] = [];
  readonly #leftOut: string[] = [];

  constructor(private readonly target: string) {}

  async write(entry: Entry): Promise<void> {
    const name = plainName(entry.name);
    const path = join(this.target, name);
    switch (entry.type) {
      case '5':
        await this.#ensureDirectory(name);
        // A directory that may not be written to gets its mode when it is full.
        if (name !== '') this.#modes.push({ path, mode: entry.mode });
        return;
      case '0':
      case '7':
        await this.#ensureDirectory(posix.dirname(name) === '.' ? '' : posix.dirname(name));
        await writeContent(path, entry);
        this.#files += 1;
        return;
      case '2':
        this.#links.push({ path, link: entry.link, name });
        return;
      case '1':
        this.#leftOut.push(`${name}: a second name of ${entry.link}`);
        return;
      default:
        this.#leftOut.push(`${name}: neither a file nor a directory`);
    }
  }

  async finish(): Promise<ReceivedTree> {
    for (const { path, link, name } of this.#links) {
      const end = posix.normalize(posix.join(posix.dirname(name), link));
      if (link.startsWith('/') || end === '..' || end.startsWith('../')) {
        this.#leftOut.push(`${name}: a link that leads out, to ${link}`);
        continue;
      }
      await this.#ensureDirectory(posix.dirname(name) === '.' ? '' : posix.dirname(name));
      await rm(path, { force: true });
      await symlink(link, path);
    }
    for (const { path, mode } of this.#modes.reverse()) await chmod(path, (mode & 0o777) | 0o700);
    return { files: this.#files, leftOut: this.#leftOut };
  }

  /** Makes the directories of a path, none of which may be a link. */
  async #ensureDirectory(name: string): Promise<void> {
    let path = this.target;
    for (const part of name.split('/').filter((word) => word !== '')) {
      path = join(path, part);
      try {
        await mkdir(path);
      } catch (error) {
        if (errnoOf(error) !== 'EEXIST') throw error;
        if (!(await lstat(path)).isDirectory())
          throw new TarRefusal(`${JSON.stringify(path)} is no directory`);
      }
    }
  }
}

async function writeContent(path: string, entry: Entry): Promise<void> {
  // Never through a link, and never into a file that another name leads to.
  await rm(path, { force: true });
  const handle = await open(path, 'wx', entry.mode & 0o777 & ~0o022);
  try {
    for await (const piece of entry.content.read()) await handle.writeFile(piece);
  } finally {
    await handle.close();
  }
}

/** @throws TarRefusal for a name that leads out */
function plainName(name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (name.startsWith('/') || parts.includes('..') || name.includes('\0')) {
    throw new TarRefusal(`its ${JSON.stringify(name)} leads out of it`);
  }
  return parts.join('/');
}

async function readSmall(content: StoredContent): Promise<Buffer> {
  if (content.leftBytes > maximumHeaderBytes) throw new TarRefusal('it has a header that is too long');
  const pieces: Buffer[] = [];
  for await (const piece of content.read()) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function readText(content: StoredContent): Promise<string> {
  return (await readSmall(content)).toString('utf8').replace(/\0.*$/s, '');
}

function textAt(block: Buffer, at: number, length: number): string {
  return block.toString('utf8', at, at + length).replace(/\0.*$/s, '');
}

function refused(message: string): LaunchError {
  return new LaunchError('COPY_FAILED', message);
}

/** Where a file or a tree from a guest goes: into a directory under its own name, or under the name given. */
export async function receivingPath(target: string, name: string): Promise<string> {
  const found = await lstatTarget(target);
  // `.` and `..` name a place, not a thing: their content goes into the directory itself.
  if (found === 'directory') return /^\.{0,2}$/.test(name) ? target : join(target, name);
  if (target.endsWith('/')) {
    throw new LaunchError('COPY_FAILED', `there is no directory "${target}"`, { hint: `mkdir -p ${target}` });
  }
  if ((await lstatTarget(dirname(target))) !== 'directory') {
    throw new LaunchError('COPY_FAILED', `there is no directory "${dirname(target)}"`);
  }
  return target;
}

async function lstatTarget(path: string): Promise<'directory' | 'other' | undefined> {
  const { stat } = await import('node:fs/promises');
  try {
    return (await stat(path)).isDirectory() ? 'directory' : 'other';
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw fileSystemError('look at', path, error);
  }
}
