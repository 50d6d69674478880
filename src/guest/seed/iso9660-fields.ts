export const sectorBytes = 2048;

/** How a tree of names is written: identifiers, and what stands behind them in a directory. */
export interface Naming {
  /** Descriptor type: 1 primary, 2 supplementary. */
  readonly type: 1 | 2;
  /** Says that a supplementary descriptor is Joliet's. */
  readonly escapes: string;
  text(value: string, lengthBytes: number): Buffer;
  identifier(name: string, isDirectory: boolean): Buffer;
  /** What the system use area of an entry says. */
  fields(name: string, isDirectory: boolean): Buffer;
  /** The same for `.` and `..`. */
  selfFields(links: number, isRootItself: boolean): Buffer;
}

export interface Extent {
  readonly sector: number;
  readonly bytes: number;
}

// The guest's root may read all, and nobody else: there can be passwords in it.
const fileMode = 0o100400;
const directoryMode = 0o040500;

/** Capitals and underscores, for readers that know nothing else; the true name stands behind, in Rock Ridge. */
export const primary: Naming = {
  type: 1,
  escapes: '',
  text: (value, lengthBytes) => Buffer.from(value.padEnd(lengthBytes), 'latin1'),
  identifier: (name, isDirectory) => {
    if (name === '\0') return Buffer.from([0]);
    const plain = name.toUpperCase().replaceAll(/[^A-Z0-9.]/g, '_');
    return Buffer.from(isDirectory ? plain : `${plain.includes('.') ? plain : `${plain}.`};1`, 'latin1');
  },
  fields: (name, isDirectory) =>
    Buffer.concat([posixField(isDirectory ? directoryMode : fileMode, isDirectory ? 2 : 1), nameField(name)]),
  selfFields: (links, isRootItself) =>
    Buffer.concat([
      ...(isRootItself ? [susp('SP', [0xbe, 0xef, 0])] : []),
      posixField(directoryMode, links),
      ...(isRootItself ? [extensionField('RRIP_1991A')] : []),
    ]),
};

/** UCS-2, big-endian. */
export const joliet: Naming = {
  type: 2,
  escapes: '%/E',
  text: (value, lengthBytes) => ucs2(value.padEnd(lengthBytes >> 1)),
  identifier: (name, isDirectory) => {
    if (name === '\0') return Buffer.from([0]);
    return ucs2(isDirectory ? name : `${name};1`);
  },
  fields: () => Buffer.alloc(0),
  selfFields: () => Buffer.alloc(0),
};

function ucs2(text: string): Buffer {
  return Buffer.from(text, 'utf16le').swap16();
}

/** A System Use entry: signature, length, version 1, content. */
function susp(signature: string, content: readonly number[]): Buffer {
  return Buffer.from([...Buffer.from(signature), 4 + content.length, 1, ...content]);
}

function posixField(mode: number, links: number): Buffer {
  const [user, group] = [0, 0];
  return susp(
    'PX',
    [mode, links, user, group].flatMap((value) => [...bothEndian32(value)]),
  );
}

function nameField(name: string): Buffer {
  return susp('NM', [0, ...Buffer.from(name)]);
}

/** Which extension the entries are of. Linux prefers Rock Ridge to Joliet only where this is. */
function extensionField(id: string): Buffer {
  const [description, source, version] = [0, 0, 1];
  return susp('ER', [id.length, description, source, version, ...Buffer.from(id)]);
}

export function recordOf(
  identifier: Buffer,
  entry: Extent & { readonly isDirectory: boolean; readonly date: Date; readonly fields: Buffer },
): Buffer {
  const padding = (identifier.length + 1) % 2;
  const length = 33 + identifier.length + padding + entry.fields.length;
  const record = Buffer.alloc(length + (length % 2));
  record[0] = record.length;
  bothEndian32(entry.sector).copy(record, 2);
  bothEndian32(entry.bytes).copy(record, 10);
  recordDate(entry.date).copy(record, 18);
  record[25] = entry.isDirectory ? 2 : 0;
  bothEndian16(1).copy(record, 28);
  record[32] = identifier.length;
  identifier.copy(record, 33);
  entry.fields.copy(record, 33 + identifier.length + padding);
  return record;
}

export function volumeDescriptor(
  naming: Naming,
  volume: {
    readonly label: string;
    readonly date: Date;
    readonly sectors: number;
    readonly tableBytes: number;
    readonly tables: { readonly L: number; readonly M: number };
    readonly root: Extent;
  },
): Buffer {
  const sector = descriptor(naming.type);
  const text = (value: string, offset: number, length: number) =>
    naming.text(value, length).copy(sector, offset, 0, length);
  text('', 8, 32);
  text(volume.label, 40, 32);
  bothEndian32(volume.sectors).copy(sector, 80);
  sector.write(naming.escapes, 88, 'latin1');
  for (const offset of [120, 124]) bothEndian16(1).copy(sector, offset);
  bothEndian16(sectorBytes).copy(sector, 128);
  bothEndian32(volume.tableBytes).copy(sector, 132);
  sector.writeUInt32LE(volume.tables.L, 140);
  sector.writeUInt32BE(volume.tables.M, 148);
  const fields = Buffer.alloc(0);
  recordOf(Buffer.from([0]), { ...volume.root, isDirectory: true, date: volume.date, fields }).copy(
    sector,
    156,
  );
  text('', 190, 128);
  text('', 318, 128);
  text('', 446, 128);
  text('LAUNCH', 574, 128);
  text('', 702, 37);
  text('', 739, 37);
  text('', 776, 37);
  const date = volumeDate(volume.date);
  const never = Buffer.concat([Buffer.from('0'.repeat(16)), Buffer.from([0])]);
  for (const [offset, value] of [
    [813, date],
    [830, date],
    [847, never],
    [864, date],
  ] as const) {
    value.copy(sector, offset);
  }
  sector[881] = 1;
  return sector;
}

export function terminator(): Buffer {
  return descriptor(255);
}

function descriptor(type: number): Buffer {
  const sector = Buffer.alloc(sectorBytes);
  sector[0] = type;
  sector.write('CD001', 1, 'latin1');
  sector[6] = 1;
  return sector;
}

/** Seven bytes: years since 1900, month, day, hour, minute, second, quarters of an hour east of Greenwich. */
function recordDate(date: Date): Buffer {
  return Buffer.from([
    date.getUTCFullYear() - 1900,
    date.getUTCMonth() + 1,
    date.getUTCDate(),
    ...[date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds(), 0],
  ]);
}

/** Digits down to hundredths of a second, and the same last byte. */
function volumeDate(date: Date): Buffer {
  const digits = date.toISOString().replaceAll(/\D/g, '').slice(0, 16);
  return Buffer.concat([Buffer.from(digits), Buffer.from([0])]);
}

function bothEndian16(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt16LE(value, 0);
  bytes.writeUInt16BE(value, 2);
  return bytes;
}

function bothEndian32(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(value, 0);
  bytes.writeUInt32BE(value, 4);
  return bytes;
}
