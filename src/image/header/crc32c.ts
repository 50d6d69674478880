/** The table of CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), one entry a byte value. */
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value;
});

/** CRC-32C of a VHDX structure, its own checksum field (4 bytes at the offset) counted as zero. */
export function crc32cWithoutField(bytes: Buffer, fieldOffset: number): number {
  let crc = 0xffffffff;
  // By index: the entries of a region table's 64 KiB as pairs would take most of an inspection's time.
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = index >= fieldOffset && index < fieldOffset + 4 ? 0 : (bytes[index] ?? 0);
    crc = (crc >>> 8) ^ (table[(crc ^ byte) & 0xff] ?? 0);
  }
  return ~crc >>> 0;
}
