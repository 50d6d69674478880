/** One entry of an archive, as a test wants it: also as no tar would write it. */
export interface TarEntry {
  readonly name: string;
  readonly content?: Buffer | string;
  /** POSIX's typeflag, by default a regular file. */
  readonly type?: string;
  readonly linkName?: string;
  /** What the header says of its length. */
  readonly sizeBytes?: number;
}

/** A header as POSIX's ustar has it, with a right sum. */
export function tarHeader(entry: TarEntry): Buffer {
  const block = Buffer.alloc(512);
  block.write(entry.name, 0, 100);
  block.write('0000644\0', 100);
  const size = entry.sizeBytes ?? Buffer.from(entry.content ?? '').length;
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  block.write('00000000000\0', 136);
  block.write(entry.type ?? '0', 156);
  block.write(entry.linkName ?? '', 157, 100);
  block.write('ustar\0' + '00', 257);
  return withSum(block);
}

/** Writes the sum of a header into it. */
export function withSum(block: Buffer): Buffer {
  block.write('        ', 148);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

/** An archive of these entries, with the two blocks that end it. */
export function tarArchive(...entries: readonly (TarEntry | Buffer)[]): Buffer {
  const pieces = entries.flatMap((entry) => {
    if (Buffer.isBuffer(entry)) return [entry];
    const content = Buffer.from(entry.content ?? '');
    return [tarHeader(entry), content, Buffer.alloc((512 - (content.length % 512)) % 512)];
  });
  return Buffer.concat([...pieces, Buffer.alloc(1024)]);
}
