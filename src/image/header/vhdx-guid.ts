/** A GUID in its text form: Microsoft keeps the first three groups little-endian ([MS-DTYP] 2.3.4.2). */
export function guidOf(bytes: Buffer): string {
  const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
  const groups = [
    hex(bytes.readUInt32LE(0), 8),
    hex(bytes.readUInt16LE(4), 4),
    hex(bytes.readUInt16LE(6), 4),
  ];
  return [...groups, bytes.toString('hex', 8, 10), bytes.toString('hex', 10, 16)].join('-');
}
