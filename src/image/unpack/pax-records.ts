/**
 * The records of a pax header: `<length> <key>=<value>\n`, the length counting the whole record.
 *
 * @returns undefined when they are not well formed, or one key comes twice (GNU's sparse format 0.0 does that)
 */
export function parsePaxRecords(bytes: Buffer): ReadonlyMap<string, string> | undefined {
  const records = new Map<string, string>();
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const digits = space === -1 ? '' : bytes.toString('latin1', at, space);
    if (!/^[1-9]\d{0,6}$/.test(digits)) return undefined;
    const end = at + Number(digits);
    if (end > bytes.length || bytes[end - 1] !== 0x0a || end <= space + 1) return undefined;
    const text = bytes.toString('utf8', space + 1, end - 1);
    const equals = text.indexOf('=');
    if (equals < 1 || records.has(text.slice(0, equals))) return undefined;
    records.set(text.slice(0, equals), text.slice(equals + 1));
    at = end;
  }
  return records;
}

/** A whole number in decimal digits. */
export function parseCount(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,16}$/.test(text) ? Number(text) : undefined;
}
