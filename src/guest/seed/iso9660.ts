import {
  joliet,
  primary,
  recordOf,
  sectorBytes,
  terminator,
  volumeDescriptor,
  type Naming,
} from './iso9660-fields.js';

export interface IsoFile {
  /** Relative, with slashes; directories are made as they are needed. */
  readonly path: string;
  readonly content: Buffer;
}

interface Directory {
  readonly name: string;
  readonly parent: Directory | undefined;
  readonly directories: Map<string, Directory>;
  readonly files: Map<string, Buffer>;
}

/** One of the two trees of names over the same files. */
interface Tree {
  readonly naming: Naming;
  /** In the path table's order: by depth, by parent, by name. */
  readonly directories: readonly Directory[];
  readonly tables: { readonly L: number; readonly M: number };
  readonly sectorOf: (directory: Directory) => number;
}

const firstDescriptor = 16;

// What looks for labels reads on behind the descriptors, for those of other file systems, and busybox gives up
// on a disk that ends before: whole MiB are more than any asks for.
const roundedSectors = 1024 ** 2 / sectorBytes;

/**
 * An ISO 9660 image of small files: names for Linux by Rock Ridge, for Windows by Joliet. The same files,
 * label and date give the same bytes. Formats: ECMA-119, SUSP (IEEE P1281), Rock Ridge (P1282), Joliet.
 *
 * Ours, because xorriso polls for a burner's progress: it takes 0.1 s for this, and now and then 1 s, of a
 * launch that takes 0.6 s (docs/decisions).
 *
 * @returns its content, behind which all is zero up to its size
 * @param options.label by which the guest finds the disk; at most 16 characters
 */
export function writeIso9660(
  files: readonly IsoFile[],
  options: { readonly label: string; readonly date: Date },
): { readonly content: Buffer; readonly sizeBytes: number } {
  const root = growTree(files);
  const namings = [primary, joliet];
  let next = firstDescriptor + namings.length + 1;
  const take = (bytes: number): number => {
    const sector = next;
    next += Math.max(1, Math.ceil(bytes / sectorBytes));
    return sector;
  };
  const trees = namings.map((naming): Tree => {
    const directories = listDirectories(root, naming);
    const tables = { L: take(sectorBytes), M: take(sectorBytes) };
    const sectors = new Map(directories.map((directory) => [directory, take(sectorBytes)]));
    return { naming, directories, tables, sectorOf: (directory) => sectors.get(directory) ?? 0 };
  });
  const placed = placeContents(files, take);
  const sectors = Math.ceil(next / roundedSectors) * roundedSectors;
  const image = Buffer.alloc(next * sectorBytes);
  const put = (sector: number, content: Buffer) => content.copy(image, sector * sectorBytes);
  for (const [index, tree] of trees.entries()) {
    const tableBytes = renderPathTable(tree, 'L').length;
    const rootExtent = { sector: tree.sectorOf(root), bytes: sectorBytes };
    const facts = { ...options, sectors, tableBytes, tables: tree.tables, root: rootExtent };
    put(firstDescriptor + index, volumeDescriptor(tree.naming, facts));
    for (const order of ['L', 'M'] as const) {
      put(tree.tables[order], inOneSector(renderPathTable(tree, order)));
    }
    for (const directory of tree.directories) {
      put(tree.sectorOf(directory), inOneSector(renderDirectory(directory, tree, placed, options.date)));
    }
  }
  put(firstDescriptor + namings.length, terminator());
  for (const [content, sector] of placed) put(sector, content);
  return { content: image, sizeBytes: sectors * sectorBytes };
}

function growTree(files: readonly IsoFile[]): Directory {
  const root: Directory = { name: '\0', parent: undefined, directories: new Map(), files: new Map() };
  for (const { path, content } of files) {
    const names = path.split('/');
    let here = root;
    for (const name of names.slice(0, -1)) {
      const found = here.directories.get(name) ?? {
        ...{ name, parent: here, directories: new Map(), files: new Map() },
      };
      here.directories.set(name, found);
      here = found;
    }
    here.files.set(names.at(-1) ?? '', content);
  }
  return root;
}

function listDirectories(root: Directory, naming: Naming): readonly Directory[] {
  const list = [root];
  // The list grows while it is walked: breadth first.
  for (const directory of list) {
    const children = [...directory.directories.values()];
    list.push(...children.sort((a, b) => compareNames(naming, [a.name, true], [b.name, true])));
  }
  return list;
}

/** The sector of each content; files of the same content lie in the same ones. */
function placeContents(
  files: readonly IsoFile[],
  take: (bytes: number) => number,
): ReadonlyMap<Buffer, number> {
  const placed = new Map<Buffer, number>();
  for (const { content } of files) {
    const same = [...placed].find(([other]) => other.equals(content));
    placed.set(content, same?.[1] ?? take(content.length));
  }
  return placed;
}

function renderPathTable({ naming, directories, sectorOf }: Tree, order: 'L' | 'M'): Buffer {
  const entries = directories.map((directory) => {
    const identifier = naming.identifier(directory.name, true);
    const entry = Buffer.alloc(8 + identifier.length + (identifier.length % 2));
    const parentNumber = directories.indexOf(directory.parent ?? directory) + 1;
    entry[0] = identifier.length;
    if (order === 'L') {
      entry.writeUInt32LE(sectorOf(directory), 2);
      entry.writeUInt16LE(parentNumber, 6);
    } else {
      entry.writeUInt32BE(sectorOf(directory), 2);
      entry.writeUInt16BE(parentNumber, 6);
    }
    identifier.copy(entry, 8);
    return entry;
  });
  return Buffer.concat(entries);
}

function renderDirectory(
  directory: Directory,
  { naming, sectorOf }: Tree,
  placed: ReadonlyMap<Buffer, number>,
  date: Date,
): Buffer {
  const extentOf = (of: Directory) => ({ sector: sectorOf(of), bytes: sectorBytes, isDirectory: true });
  const links = 2 + directory.directories.size;
  const self = naming.selfFields(links, directory.parent === undefined);
  const above = naming.selfFields(links, false);
  const children = [
    ...[...directory.directories.values()].map((child) => ({ name: child.name, ...extentOf(child) })),
    ...[...directory.files].map(([name, content]) => {
      return { name, sector: placed.get(content) ?? 0, bytes: content.length, isDirectory: false };
    }),
  ].sort((a, b) => compareNames(naming, [a.name, a.isDirectory], [b.name, b.isDirectory]));
  return Buffer.concat([
    recordOf(Buffer.from([0]), { ...extentOf(directory), date, fields: self }),
    recordOf(Buffer.from([1]), { ...extentOf(directory.parent ?? directory), date, fields: above }),
    ...children.map(({ name, ...extent }) => {
      const fields = naming.fields(name, extent.isDirectory);
      return recordOf(naming.identifier(name, extent.isDirectory), { ...extent, date, fields });
    }),
  ]);
}

type Named = readonly [name: string, isDirectory: boolean];

function compareNames(naming: Naming, a: Named, b: Named): number {
  return Buffer.compare(naming.identifier(...a), naming.identifier(...b));
}

/** A record must not lie over the end of a sector; nothing of ours fills one. */
function inOneSector(content: Buffer): Buffer {
  if (content.length > sectorBytes) throw new Error(`a directory of ${content.length} bytes`);
  return content;
}
