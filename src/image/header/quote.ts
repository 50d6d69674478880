/** The longest quotation of a stranger's text in a message, in characters. */
const longestQuotation = 200;

/**
 * A stranger's text as it may stand in a message: in double quotes, control characters and what could
 * steer a terminal or reorder text written as escapes, cut after 200 characters.
 */
export function quote(text: string): string {
  const cut = text.length > longestQuotation ? `${text.slice(0, longestQuotation)}…` : text;
  const escaped = cut.replace(/["\\]|[^\x20-\x7e\p{L}\p{M}\p{N}\p{P}\p{S}]/gu, (character) => {
    if (character === '"' || character === '\\') return `\\${character}`;
    const code = character.codePointAt(0) ?? 0;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
  return `"${escaped}"`;
}

/** A file name as it may stand in a command that a person copies into a POSIX shell. */
export function shellWord(name: string): string {
  const word = name.startsWith('-') ? `./${name}` : name;
  if (/^[\w@%+=:,./~-]+$/.test(word) && !word.startsWith('~')) return word;
  if (/\p{C}/u.test(word)) return 'FILE';
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

const binaryUnits = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'] as const;

/** A number of bytes for people: `2 GiB`, `10.5 MiB`. */
export function describeBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < binaryUnits.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = Number.isInteger(value) ? String(value) : value.toFixed(1).replace(/\.0$/, '');
  return `${digits} ${binaryUnits[unit] ?? ''}`;
}
