/** One region of a sparse file that has content. */
export interface TarRegion {
  readonly offset: number;
  readonly length: number;
}

/** A header block of 512 bytes, as it is written; names and sizes can be overruled by blocks before it. */
export interface TarHeader {
  readonly name: string;
  /** POSIX's typeflag; a NUL is given as `0`. */
  readonly type: string;
  readonly storedBytes: number;
  /** GNU's old sparse format: the first regions, whether more follow, and the length with its holes. */
  readonly sparse:
    | { readonly regions: readonly TarRegion[]; readonly isExtended: boolean; readonly realBytes: number }
    | undefined;
}

export const tarBlockBytes = 512;

/** `ustar`, and a sum that is right: what only says ustar may be a boot sector. */
export function isTarHeader(block: Buffer): boolean {
  return (
    block.length === tarBlockBytes && block.toString('latin1', 257, 262) === 'ustar' && hasRightSum(block)
  );
}

export function isZeroBlock(block: Buffer): boolean {
  return block.every((byte) => byte === 0);
}

/** @returns undefined for what is no header */
export function parseTarHeader(block: Buffer): TarHeader | undefined {
  if (!isTarHeader(block)) return undefined;
  const storedBytes = parseNumber(block, 124, 12);
  if (storedBytes === undefined) return undefined;
  const type = block[156] === 0 ? '0' : block.toString('latin1', 156, 157);
  const isGnu = block.toString('latin1', 257, 265) === 'ustar  \0';
  // GNU keeps other things where POSIX has the first part of a long name.
  const prefix = isGnu ? '' : parseText(block, 345, 155);
  const name = parseText(block, 0, 100);
  const sparse = type === 'S' ? parseSparse(block) : undefined;
  if (type === 'S' && sparse === undefined) return undefined;
  return { name: prefix === '' ? name : `${prefix}/${name}`, type, storedBytes, sparse };
}

function parseSparse(block: Buffer): TarHeader['sparse'] {
  const regions = parseRegions(block, 386, 4);
  const realBytes = parseNumber(block, 483, 12);
  if (regions === undefined || realBytes === undefined) return undefined;
  return { regions, isExtended: block[482] !== 0, realBytes };
}

/** A block that goes on with the regions of GNU's old sparse format. */
export function parseSparseExtension(
  block: Buffer,
): { readonly regions: readonly TarRegion[]; readonly isExtended: boolean } | undefined {
  const regions = parseRegions(block, 0, 21);
  return regions === undefined ? undefined : { regions, isExtended: block[504] !== 0 };
}

function parseRegions(block: Buffer, start: number, count: number): readonly TarRegion[] | undefined {
  const regions: TarRegion[] = [];
  for (let at = start; at < start + count * 24; at += 24) {
    if (block[at] === 0) break;
    const offset = parseNumber(block, at, 12);
    const length = parseNumber(block, at + 12, 12);
    if (offset === undefined || length === undefined) return undefined;
    regions.push({ offset, length });
  }
  return regions;
}

/** Octal digits, or, when the first bit is set, a binary number. Undefined unless it is a safe whole number. */
function parseNumber(block: Buffer, at: number, length: number): number | undefined {
  if (((block[at] ?? 0) & 0x80) !== 0) {
    const bytes = block.subarray(at + 1, at + length);
    if (block[at] !== 0x80) return undefined;
    const value = BigInt(`0x${bytes.toString('hex')}`);
    return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : undefined;
  }
  const digits = parseText(block, at, length).trim();
  if (digits === '') return 0;
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : undefined;
}

function parseText(block: Buffer, at: number, length: number): string {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end === -1 ? length : end);
}

function hasRightSum(block: Buffer): boolean {
  let sum = 8 * 0x20;
  block.forEach((byte, at) => {
    if (at < 148 || at >= 156) sum += byte;
  });
  return parseNumber(block, 148, 8) === sum;
}
