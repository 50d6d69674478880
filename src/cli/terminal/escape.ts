/**
 * What must not reach a terminal inside someone's name: C0, DEL and C1 controls (they move the cursor and
 * set titles), format characters (bidi overrides reorder what is read, zero-width ones hide), line and
 * paragraph separators, and lone surrogates.
 */
// U+200C and U+200D stay: Persian, Indic scripts and joined emoji need them, and they move nothing.
const UNSAFE = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** Shows every character that could move the cursor, reorder or hide text as `\n`, `\x1b` or `\u202e`. */
export function escapeControls(text: string): string {
  return text.replace(UNSAFE, (character) => {
    const codePoint = character.codePointAt(0) ?? 0;
    if (codePoint > 0xffff) return `\\u{${codePoint.toString(16)}}`;
    const short = SHORT[character];
    if (short !== undefined) return short;
    return codePoint <= 0xff ? `\\x${hex(codePoint, 2)}` : `\\u${hex(codePoint, 4)}`;
  });
}

/**
 * JSON on one line that is safe to look at: what JSON.stringify leaves raw (DEL, C1, bidi overrides) is
 * written as `\uXXXX`, so the value that is parsed back is unchanged.
 */
export function safeJson(value: unknown): string {
  const json = JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'bigint' ? Number(part) : part,
  );
  return json.replace(UNSAFE, (character) =>
    // By UTF-16 unit: JSON has no escape for a code point above U+FFFF.
    Array.from({ length: character.length }, (_, at) => `\\u${hex(character.charCodeAt(at), 4)}`).join(''),
  );
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}
