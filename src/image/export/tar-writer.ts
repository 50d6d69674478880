const blockBytes = 512;

/**
 * A header of ustar for a regular file. From 8 GiB on the length is binary, as GNU tar and libarchive write
 * and read it.
 *
 * @param name at most 100 bytes
 */
export function renderTarHeader(
  name: string,
  lengthBytes: number,
  options: { readonly modifiedAt: Date },
): Buffer {
  const block = Buffer.alloc(blockBytes);
  if (Buffer.byteLength(name) > 100) throw new Error(`the name "${name}" is too long for a tar`);
  block.write(name, 0);
  writeOctal(block, 0o644, { at: 100, digits: 7 });
  writeOctal(block, 0, { at: 108, digits: 7 });
  writeOctal(block, 0, { at: 116, digits: 7 });
  if (lengthBytes < 8 ** 11) writeOctal(block, lengthBytes, { at: 124, digits: 11 });
  else {
    block.writeUInt8(0x80, 124);
    block.writeBigUInt64BE(BigInt(lengthBytes), 128);
  }
  const seconds = Math.max(0, Math.floor(options.modifiedAt.getTime() / 1000));
  writeOctal(block, seconds, { at: 136, digits: 11 });
  block.write('0', 156);
  block.write('ustar\0' + '00', 257);
  block.write('root', 265);
  block.write('root', 297);
  // The sum is taken with its own field as spaces.
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

/** What follows a file of this length, up to a whole block. */
export function tarPadding(lengthBytes: number): Buffer {
  return Buffer.alloc((blockBytes - (lengthBytes % blockBytes)) % blockBytes);
}

/** Two empty blocks, and zeros up to the 10 KiB that tar reads at once. */
export function tarEnd(writtenBytes: number): Buffer {
  const recordBytes = 20 * blockBytes;
  const usedBytes = writtenBytes + 2 * blockBytes;
  return Buffer.alloc(2 * blockBytes + ((recordBytes - (usedBytes % recordBytes)) % recordBytes));
}

function writeOctal(
  block: Buffer,
  value: number,
  field: { readonly at: number; readonly digits: number },
): void {
  block.write(`${value.toString(8).padStart(field.digits, '0')}\0`, field.at);
}
